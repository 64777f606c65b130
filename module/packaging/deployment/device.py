"""One device: a deployment applied to it alone, what its twins say of it, and the way back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from ...errors import PackagingError, SettingsError
from ..manifest import edge_manifest
from ..manifest.manifest import write_private
from .deployment_file import DeploymentFile
from .iot_hub import HubError, IotHub

_DESIRED = "properties.desired"
_DONE = 200


@dataclass(frozen=True, slots=True)
class State:
    """How far one device is.

    Attributes:
        done: its edgeAgent has applied the deployment, and the scoring module runs and says that it serves.
        said: where it stands, in words.
    """

    done: bool
    said: str


def apply(hub: IotHub, name: str, file: DeploymentFile) -> str:
    """Give a device this deployment; what it had before is kept in a file, for ``roll_back``. Says what was done.

    Raises:
        SettingsError: it is a layer, which one device alone cannot take.
        PackagingError: the hub has no such device, or refuses.
    """
    if file.layered:
        raise SettingsError(f"{file.path} is a layer, which needs --target-condition: a device alone takes a whole one")
    before = _content_of(hub, name)
    if all(before.get(module) == twin for module, twin in file.content.items()):
        return f"{name} has this deployment already"
    kept = ""
    if before.get("$edgeAgent", {}).get(_DESIRED):
        write_private(previous(file.path, name), orjson.dumps({"modulesContent": before}))
        kept = f"; what it had before is in {previous(file.path, name)}"
    _send(hub, name, file.content)
    return f"deployed {file.image} to {name}{kept}"


def roll_back(hub: IotHub, name: str, path: Path) -> str:
    """Give a device what it had before ``apply``; says so.

    Raises:
        SettingsError: nothing was kept.
        PackagingError: the hub refuses.
    """
    kept = previous(path, name)
    if not kept.is_file():
        raise SettingsError(f"{kept} is not there: the first deployment from here to {name} kept nothing to go back to")
    _send(hub, name, edge_manifest.document(kept)["modulesContent"])
    return f"{name} has again what {kept} says"


def previous(path: Path, name: str) -> Path:
    """Give the file that keeps what a device had before the deployment in ``path``."""
    return path.with_name(f"{path.stem}.{quote(name, safe='')}.previous.json")


def state(hub: IotHub, name: str, file: DeploymentFile) -> State:
    """Ask the twins of edgeAgent and of the scoring module how far the device is."""
    agent = _twin(hub, name, "$edgeAgent")["properties"]
    reported = agent.get("reported", {})
    if reported.get("lastDesiredVersion", -1) < agent["desired"]["$version"]:
        return State(done=False, said="edgeAgent has not taken it yet: is the device online?")
    status = reported.get("lastDesiredStatus", {})
    module = reported.get("modules", {}).get(file.module, {})
    runs = module.get("runtimeStatus", "unknown")
    if status.get("code") != _DONE or runs != "running":
        reasons = [status.get("description"), f"module {file.module} is {runs}", module.get("statusDescription")]
        return State(done=False, said=", ".join(" ".join(str(reason).split())[:300] for reason in reasons if reason))
    says = _twin(hub, name, file.module)["properties"].get("reported", {}).get("status", "not reported yet")
    return State(done=says == "ready", said=f"module {file.module} is running and says: {says}")


def _content_of(hub: IotHub, name: str) -> dict[str, Any]:
    try:
        modules = [found["moduleId"] for found in hub.get("devices", name, "modules")]
    except HubError as error:
        if error.status == 404:
            raise PackagingError(f"{hub.host} has no device {name}: check --device") from error
        raise
    return {module: {_DESIRED: _without_dollars(_desired(hub, name, module))} for module in modules}


def _desired(hub: IotHub, name: str, module: str) -> dict[str, Any]:
    desired: dict[str, Any] = _twin(hub, name, module)["properties"].get("desired", {})
    return desired


def _twin(hub: IotHub, name: str, module: str) -> dict[str, Any]:
    try:
        twin: dict[str, Any] = hub.get("twins", name, "modules", module)
    except HubError as error:
        if error.status == 404:
            raise PackagingError(
                f"{hub.host} has no module {module} on device {name}, is it an Edge device?"
            ) from error
        raise
    return twin


def _send(hub: IotHub, name: str, content: dict[str, Any]) -> None:
    hub.post("devices", name, "applyConfigurationContent", body={"modulesContent": content})


def _without_dollars(desired: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in desired.items() if not key.startswith("$")}
