"""An automatic deployment: one configuration for all devices that a condition selects (`/configurations/{id}`).

IoT Hub never changes a configuration's content: each new one is a configuration of its own, the highest priority wins
on each device, among equals the youngest. So rolling back is deleting the newest.
"""

from dataclasses import dataclass
from typing import Any

from ...errors import PackagingError
from . import device
from .deployment_file import DeploymentFile, without_credentials
from .iot_hub import HubError, IotHub

_SHOWN = 5
_NAMED = (  # what the hub counts for every Edge deployment, and our own
    ("targeted", "targetedCount"),
    ("applied", "appliedCount"),
    ("success", "reportedSuccessfulCount"),
    ("failing", "reportedFailedCount"),
)
_READY = "scoringReady"
_SAYS_READY = "SELECT deviceId FROM devices.modules WHERE moduleId = '{}' AND properties.reported.status = 'ready'"
_APPLIED = (
    "SELECT deviceId FROM devices.modules WHERE moduleId = '$edgeAgent' AND configurations.[[{}]].status = 'Applied'"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a rollout is, in devices; IoT Hub counts anew about every five minutes.

    Attributes:
        targeted: selected by the condition.
        applied: have the deployment in their twins.
        success: whose edgeAgent reports it as done.
        failing: whose edgeAgent reports that it failed.
        ready: whose scoring module reports that it serves.
    """

    targeted: int
    applied: int
    success: int
    failing: int
    ready: int

    def __str__(self) -> str:
        """Give them in one line."""
        names = ("targeted", "applied", "success", "failing", "ready")
        return ", ".join(f"{getattr(self, name)} {name}" for name in names)

    def done(self) -> bool:
        """Say whether every device has arrived."""
        return 0 < self.targeted == self.applied == self.success and self.ready >= self.targeted


def start(hub: IotHub, file: DeploymentFile, *, name: str, condition: str, priority: int) -> str:
    """Create the configuration, or give the one that is there this condition and priority; says what was done.

    Raises:
        PackagingError: another content has this name, or the hub refuses.
    """
    there = _find(hub, name)
    if there is None:
        try:
            hub.put("configurations", name, body=_configuration(file, name, condition, priority))
        except HubError as error:
            # A lost answer to the first attempt, or somebody else: look what is there now.
            if error.status not in {409, 412} or not _same(_find(hub, name), file):
                raise
        return f"created deployment {name}, priority {priority}, for devices where {condition}"
    if not _same(there, file):
        raise PackagingError(
            f"{hub.host} has another deployment {name}, whose content cannot change: choose another --id"
        )
    if (there["targetCondition"], there["priority"]) == (condition, priority):
        return f"deployment {name} is there already, unchanged"
    changed = {**there, "targetCondition": condition, "priority": priority}
    hub.put("configurations", name, body=changed, etag=there["etag"])
    return f"changed deployment {name}: priority {priority}, for devices where {condition}"


def roll_back(hub: IotHub, name: str) -> str:
    """Delete the configuration, so that each device goes back to the next one that selects it; says to which.

    Raises:
        PackagingError: it is not there, or there is none to go back to.
    """
    there = _find(hub, name)
    if there is None:
        raise PackagingError(f"{hub.host} has no deployment {name}: name the one to take back with --id")
    others = [other for other in hub.get("configurations") if other["id"] != name and _is_base(other)]
    if _is_base(there) and not others:
        raise PackagingError(
            f"{name} is the only base deployment of {hub.host}: without it devices would stay as they are"
        )
    hub.delete("configurations", name, etag=there["etag"])
    others.sort(key=lambda other: (other["priority"], other.get("createdTimeUtc", "")), reverse=True)
    candidates = ", ".join(f"{other['id']} (priority {other['priority']})" for other in others[:_SHOWN])
    return f"deleted deployment {name}; each device goes back to the first that selects it of: {candidates}"


def counts(hub: IotHub, name: str) -> Counts:
    """Ask how far a rollout is.

    Raises:
        PackagingError: it is not there.
    """
    there = _find(hub, name)
    if there is None:
        raise PackagingError(f"{hub.host} has no deployment {name} any more")
    system = there.get("systemMetrics", {}).get("results", {})
    ours = there.get("metrics", {}).get("results", {})
    found = {field: int(system.get(result, 0)) for field, result in _NAMED}
    return Counts(**found, ready=int(ours.get(_READY, 0)))


def failures(hub: IotHub, file: DeploymentFile, name: str) -> list[str]:
    """Say why, for the first few devices that fail: the device and what its twins report."""
    query = (
        f"{_APPLIED.format(name)} AND properties.desired.$version = properties.reported.lastDesiredVersion"
        " AND properties.reported.lastDesiredStatus.code != 200"
    )
    rows = hub.post("devices", "query", body={"query": query}, headers={"x-ms-max-item-count": str(_SHOWN)})
    return [f"{row['deviceId']}: {device.state(hub, row['deviceId'], file).said}" for row in rows[:_SHOWN]]


def metrics(file: DeploymentFile) -> dict[str, str]:
    """Give the queries that IoT Hub counts for us beside its own."""
    return {_READY: _SAYS_READY.format(file.module)}


def _configuration(file: DeploymentFile, name: str, condition: str, priority: int) -> dict[str, Any]:
    return {
        "id": name,
        "schemaVersion": "2.0",
        "labels": {"image": file.image, "module": file.module},
        "content": {"modulesContent": file.content},
        "targetCondition": condition,
        "priority": priority,
        "metrics": {"queries": metrics(file)},
    }


def _find(hub: IotHub, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = hub.get("configurations", name)
    except HubError as error:
        if error.status == 404:
            return None
        raise
    return found


def _same(there: dict[str, Any] | None, file: DeploymentFile) -> bool:
    content = (there or {}).get("content", {}).get("modulesContent")
    return bool(without_credentials(content) == without_credentials(file.content))


def _is_base(configuration: dict[str, Any]) -> bool:
    agent = configuration.get("content", {}).get("modulesContent", {}).get("$edgeAgent", {})
    return "properties.desired" in agent
