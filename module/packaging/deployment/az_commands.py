"""The same with the Azure CLI: the commands that ``deploy --print-commands`` prints; nothing secret is in them."""

import shlex

import orjson

from . import fleet
from .deployment_file import DeploymentFile
from .device import previous


def for_device(hub: str, name: str, file: DeploymentFile, *, roll_back: bool) -> list[str]:
    """Give the commands for one device."""
    content = previous(file.path, name) if roll_back else file.path
    common = ["--device-id", name, "--hub-name", hub]
    watch = ["az", "iot", "hub", "module-twin", "show", *common, "--module-id", "$edgeAgent"]
    return [
        shlex.join(["az", "iot", "edge", "set-modules", *common, "--content", str(content)]),
        shlex.join([*watch, "--query", "properties.reported.lastDesiredStatus"]),
    ]


def for_fleet(
    hub: str, file: DeploymentFile, *, name: str, condition: str, priority: int, roll_back: bool
) -> list[str]:
    """Give the commands for all devices that a condition selects."""
    common = ["--deployment-id", name, "--hub-name", hub]
    deployment = ["az", "iot", "edge", "deployment"]
    if roll_back:
        return [shlex.join([*deployment, "delete", *common])]
    queries = orjson.dumps({"queries": fleet.metrics(file)}).decode()
    create = [*deployment, "create", *common, "--content", str(file.path), "--target-condition", condition]
    create += ["--priority", str(priority), "--metrics", queries, *(["--layered"] if file.layered else [])]
    show = [*deployment, "show", *common, "--query", "systemMetrics.results"]
    return [shlex.join(create), shlex.join(show)]
