"""An automatic deployment: one configuration for all devices that a condition selects (`/configurations/{id}`).

IoT Hub never changes a configuration's content: each new one is a configuration of its own, the highest priority wins
on each device, among equals the youngest. So rolling back is deleting the newest.
"""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson

from ...errors import PackagingError
from ..manifest.layered import is_layered
from .deployment_file import DeploymentFile, without_credentials
from .device import state
from .iot_hub import HubError, IotHub

_SHOWN = 5
_READY = "scoringReady"
_COUNTED = {  # name → the metrics it is among, and its name there; IoT Hub counts anew about every five minutes
    "targeted": ("systemMetrics", "targetedCount"),  # selected by the condition
    "applied": ("systemMetrics", "appliedCount"),  # have the deployment in their twins
    "success": ("systemMetrics", "reportedSuccessfulCount"),  # their edgeAgent reports it as done
    "failing": ("systemMetrics", "reportedFailedCount"),  # their edgeAgent reports that it failed
    "ready": ("metrics", _READY),  # our own: their scoring module reports that it serves
}
_SAYS_READY = "SELECT deviceId FROM devices.modules WHERE moduleId = '{}' AND properties.reported.status = 'ready'"
_APPLIED = (
    "SELECT deviceId FROM devices.modules WHERE moduleId = '$edgeAgent' AND configurations.[[{}]].status = 'Applied'"
)


def arrived(counts: Mapping[str, int]) -> bool:
    """Say by what ``look()`` counts whether every device has arrived."""
    targeted = counts["targeted"]
    return 0 < targeted == counts["applied"] == counts["success"] and counts["ready"] >= targeted


class FleetRollout:
    """A deployment on its way to all devices that a condition selects."""

    def __init__(self, hub: IotHub, name: str | None, file: DeploymentFile, *, condition: str, priority: int) -> None:
        """Take what to roll out, and to where; without a name it has the file's own, which no other file has."""
        self._hub, self._name, self._is_named, self._file = hub, name or file.name, bool(name), file
        self._condition, self._priority = condition, priority
        self._queries = {_READY: _SAYS_READY.format(file.module)}  # what IoT Hub counts for us beside its own

    def start(self) -> str:
        """Create the configuration, or give the one that is there this condition and priority; says what was done.

        Only one that was named loses its condition: else the second line to get a file would take it from the first.

        Raises:
            PackagingError: another content has this name, or a file that is there for others, or the hub refuses.
        """
        name, goal = self._name, f"priority {self._priority}, for devices where {self._condition}"
        there = self._hub.find("configurations", name)
        if there is None:
            try:
                self._hub.request("PUT", "configurations", name, body=self._configuration())
            except HubError as error:
                # A lost answer to the first attempt, or somebody else: look what is there now.
                there = self._hub.find("configurations", name) if error.status in {409, 412} else None
                if there is None or not self._same(there) or there["targetCondition"] != self._condition:
                    raise
            return f"created deployment {name}, {goal}"
        if not self._same(there):
            raise PackagingError(
                f"{self._hub.host} has another deployment {name}, whose content cannot change: choose another --id"
            )
        had, priority = there["targetCondition"], there["priority"]
        if (had, priority) == (self._condition, self._priority):
            return f"deployment {name} is there already, unchanged"
        if had != self._condition and not self._is_named:
            raise PackagingError(
                f"{self._hub.host} has this file as deployment {name} for devices where {had}: give a new --id to have "
                f"both, or --id {name} to take it from them"
            )
        changed = {**there, "targetCondition": self._condition, "priority": self._priority}
        self._hub.request("PUT", "configurations", name, body=changed, etag=there["etag"])
        return f"changed deployment {name}: {goal}; it had priority {priority}, for devices where {had}"

    def roll_back(self) -> str:
        """Delete the configuration, so that each device goes back to the next one that selects it; says to which.

        Raises:
            PackagingError: it is not there, is for other devices, or there is none to go back to.
        """
        hub, name = self._hub, self._name
        there = hub.find("configurations", name)
        if there is None:
            raise PackagingError(f"{hub.host} has no deployment {name}: name the one to take back with --id")
        if there["targetCondition"] != self._condition:
            raise PackagingError(
                f"deployment {name} is for devices where {there['targetCondition']}: give that as --target-condition "
                "to take it back, or name another with --id"
            )
        others = [other for other in hub.request("GET", "configurations") if other["id"] != name and _is_base(other)]
        if _is_base(there) and not others:
            raise PackagingError(
                f"{name} is the only base deployment of {hub.host}: without it devices would stay as they are"
            )
        hub.request("DELETE", "configurations", name, etag=there["etag"])
        others.sort(key=lambda other: (other["priority"], other.get("createdTimeUtc", "")), reverse=True)
        candidates = ", ".join(f"{other['id']} (priority {other['priority']})" for other in others[:_SHOWN])
        return f"deleted deployment {name}; each device goes back to the first that selects it of: {candidates}"

    def look(self) -> tuple[bool, str]:
        """Say whether every device has arrived, the counts, and why the first few fail that do.

        Raises:
            PackagingError: the configuration is not there.
        """
        there = self._hub.find("configurations", self._name)
        if there is None:
            raise PackagingError(f"{self._hub.host} has no deployment {self._name} any more")
        counts = {
            name: int(there.get(metrics, {}).get("results", {}).get(result, 0))
            for name, (metrics, result) in _COUNTED.items()
        }
        said = [", ".join(f"{count} {name}" for name, count in counts.items())]
        if counts["failing"]:
            query = (
                f"{_APPLIED.format(self._name)}"
                " AND properties.desired.$version = properties.reported.lastDesiredVersion"
                " AND properties.reported.lastDesiredStatus.code != 200"
            )
            few = {"x-ms-max-item-count": str(_SHOWN)}
            rows = self._hub.request("POST", "devices", "query", body={"query": query}, headers=few)
            said += [f"{row['deviceId']}: {state(self._hub, row['deviceId'], self._file)[1]}" for row in rows[:_SHOWN]]
        return arrived(counts), "; ".join(said)

    def az_commands(self, *, roll_back: bool) -> list[str]:
        """Give the Azure CLI's commands for the same; nothing secret is in them."""
        common = ["--deployment-id", self._name, "--hub-name", self._hub.name]
        deployment = ["az", "iot", "edge", "deployment"]
        if roll_back:
            return [shlex.join([*deployment, "delete", *common])]
        queries = orjson.dumps({"queries": self._queries}).decode()
        create = [*deployment, "create", *common, "--content", str(self._file.path)]
        create += ["--target-condition", self._condition, "--priority", str(self._priority), "--metrics", queries]
        show = [*deployment, "show", *common, "--query", "systemMetrics.results"]
        return [shlex.join([*create, *(["--layered"] if self._file.layered else [])]), shlex.join(show)]

    def _configuration(self) -> dict[str, Any]:
        return {
            "id": self._name,
            "schemaVersion": "2.0",
            "labels": {"image": self._file.image, "module": self._file.module},
            "content": {"modulesContent": self._file.content},
            "targetCondition": self._condition,
            "priority": self._priority,
            "metrics": {"queries": self._queries},
        }

    def _same(self, there: dict[str, Any]) -> bool:
        content = there.get("content", {}).get("modulesContent")
        return bool(without_credentials(content) == without_credentials(self._file.content))


def _is_base(configuration: dict[str, Any]) -> bool:
    return not is_layered(configuration.get("content", {}).get("modulesContent", {}))
