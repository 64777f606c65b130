"""One device: a deployment applied to it alone, what its twins say of it, and the way back."""

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from ...errors import PackagingError, SettingsError
from ..manifest import edge_manifest
from ..manifest.manifest import write_private
from .deployment_file import DeploymentFile
from .iot_hub import IotHub

_DESIRED = "properties.desired"
_DONE = 200


class DeviceRollout:
    """A deployment on its way to one device.

    Attributes:
        kept: the file that keeps what the device had before.
    """

    def __init__(self, hub: IotHub, name: str, file: DeploymentFile) -> None:
        self._hub, self._name, self._file = hub, name, file
        self.kept = file.path.with_name(f"{file.path.stem}.{quote(name, safe='')}.previous.json")

    def start(self) -> str:
        """Give the device this deployment and keep what it had before; says what was done.

        Raises:
            SettingsError: it is a layer, which one device alone cannot take.
            PackagingError: the hub has no such device, or refuses.
        """
        file, name = self._file, self._name
        if file.layered:
            raise SettingsError(
                f"{file.path} is a layer, which needs --target-condition: a device alone takes a whole one"
            )
        before = self._content()
        if all(before.get(module) == twin for module, twin in file.content.items()):
            return f"{name} has this deployment already"
        kept = ""
        if before.get("$edgeAgent", {}).get(_DESIRED):
            write_private(self.kept, orjson.dumps({"modulesContent": before}))
            kept = f"; what it had before is in {self.kept}, with its secrets (mode 0600)"
        self._send(file.content)
        return f"deployed {file.image} to {name}{kept}"

    def roll_back(self) -> str:
        """Give the device what it had before ``start``; says so.

        Raises:
            SettingsError: nothing was kept.
            PackagingError: the hub refuses.
        """
        if not self.kept.is_file():
            raise SettingsError(
                f"{self.kept} is not there: the first deployment from here to {self._name} kept nothing to go back to"
            )
        self._send(edge_manifest.document(self.kept)["modulesContent"])
        return f"{self._name} has again what {self.kept} says"

    def look(self) -> tuple[bool, str]:
        """Say whether the device has arrived, and where it stands, in words."""
        done, said = state(self._hub, self._name, self._file)
        return done, f"{self._name}: {said}"

    def az_commands(self, *, roll_back: bool) -> list[str]:
        """Give the Azure CLI's commands for the same; nothing secret is in them."""
        content: Path = self.kept if roll_back else self._file.path
        common = ["--device-id", self._name, "--hub-name", self._hub.name]
        watch = ["az", "iot", "hub", "module-twin", "show", *common, "--module-id", "$edgeAgent"]
        return [
            shlex.join(["az", "iot", "edge", "set-modules", *common, "--content", str(content)]),
            shlex.join([*watch, "--query", "properties.reported.lastDesiredStatus"]),
        ]

    def _content(self) -> dict[str, Any]:
        """Give what the device has, as a deployment's content."""
        modules = self._hub.find("devices", self._name, "modules")
        if modules is None:
            raise PackagingError(f"{self._hub.host} has no device {self._name}: check --device")
        names = [str(each["moduleId"]) for each in modules]
        twins = {module: _twin(self._hub, self._name, module).get("desired", {}) for module in names}
        return {
            module: {_DESIRED: {key: value for key, value in desired.items() if not key.startswith("$")}}
            for module, desired in twins.items()
        }

    def _send(self, content: dict[str, Any]) -> None:
        self._hub.request("POST", "devices", self._name, "applyConfigurationContent", body={"modulesContent": content})


def state(hub: IotHub, name: str, file: DeploymentFile) -> tuple[bool, str]:
    """Ask the twins of edgeAgent and of the scoring module how far a device is.

    It has arrived when its edgeAgent has applied the deployment, and the scoring module runs and says that it serves.
    """
    agent = _twin(hub, name, "$edgeAgent")
    reported = agent.get("reported", {})
    if reported.get("lastDesiredVersion", -1) < agent["desired"]["$version"]:
        return False, "edgeAgent has not taken it yet: is the device online?"
    status = reported.get("lastDesiredStatus", {})
    module = reported.get("modules", {}).get(file.module, {})
    runs = module.get("runtimeStatus", "unknown")
    if status.get("code") != _DONE or runs != "running":
        reasons = [status.get("description"), f"module {file.module} is {runs}", module.get("statusDescription")]
        return False, ", ".join(" ".join(str(reason).split())[:300] for reason in reasons if reason)
    says = _twin(hub, name, file.module).get("reported", {}).get("status", "not reported yet")
    return says == "ready", f"module {file.module} is running and says: {says}"


def _twin(hub: IotHub, name: str, module: str) -> dict[str, Any]:
    twin = hub.find("twins", name, "modules", module)
    if twin is None:
        raise PackagingError(f"{hub.host} has no module {module} on device {name}, is it an Edge device?")
    properties: dict[str, Any] = twin["properties"]
    return properties
