"""The project's own template as a deployment file, and the registry password that must never be seen elsewhere."""

from pathlib import Path
from typing import Any

from hub_stub import SECRET

from module.packaging.deployment import deployment_file
from module.packaging.deployment.deployment_file import DeploymentFile
from module.packaging.manifest.manifest import Deployment, ManifestOptions, build, write

TEMPLATE = Path(__file__).parents[2] / "deployment.template.json"
IMAGE = "myregistry.azurecr.io/scoring@sha256:" + "a" * 64
VALUES = {
    "CONTAINER_REGISTRY_SERVER": "myregistry.azurecr.io",
    "CONTAINER_REGISTRY_USERNAME_scoring": "pull",
    "CONTAINER_REGISTRY_PASSWORD_scoring": SECRET,
}
CONDITION = "tags.line='3'"
READY = {
    "lastDesiredVersion": 2,
    "lastDesiredStatus": {"code": 200},
    "modules": {"scoring": {"runtimeStatus": "running"}},
}


def deployment(**changes: Any) -> Deployment:
    return build(ManifestOptions(**{"template": TEMPLATE, "image": IMAGE, "with_secrets": True, **changes}), VALUES)


def written(folder: Path, what: Deployment, name: str = "deployment.json") -> DeploymentFile:
    write(what, folder / name)
    return deployment_file.read(folder / name)
