"""Templates with one change, and what the deployments made of them hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from module.packaging.manifest import manifest

TEMPLATE = Path(__file__).parents[2] / "deployment.template.json"
DIGEST = "sha256:" + "a" * 64
IMAGE = f"myregistry.azurecr.io/scoring@{DIGEST}"
PASSWORD = 'pa$sword "quoted"'
VALUES = {
    "CONTAINER_REGISTRY_SERVER": "myregistry.azurecr.io",
    "CONTAINER_REGISTRY_USERNAME_scoring": "pull",
    "CONTAINER_REGISTRY_PASSWORD_scoring": PASSWORD,
}
TO_SCORING = 'FROM /messages/* INTO BrokeredEndpoint("/modules/scoring/inputs/amlInput")'

Edit = Callable[[dict[str, Any]], None]


def build(template: Path = TEMPLATE, values: dict[str, str] = VALUES, **options: Any) -> dict[str, Any]:
    made = manifest.build(
        manifest.ManifestOptions(**{"template": template, "image": IMAGE, "with_secrets": True, **options}), values
    )
    content: dict[str, Any] = made.document["modulesContent"]
    return content


def edited(folder: Path, edit: Edit) -> Path:
    """Write the project's own template with a change to its ``modulesContent``."""
    document = json.loads(TEMPLATE.read_text())
    edit(document["modulesContent"])
    path = folder / "deployment.template.json"
    path.write_text(json.dumps(document))
    return path


def agent(content: dict[str, Any]) -> dict[str, Any]:
    desired: dict[str, Any] = content["$edgeAgent"]["properties.desired"]
    return desired


def ours(content: dict[str, Any]) -> dict[str, Any]:
    module: dict[str, Any] = agent(content)["modules"]["scoring"]
    return module


def routes(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["$edgeHub"]["properties.desired"]["routes"]
    return found


def options(module: dict[str, Any]) -> dict[str, Any]:
    texts = [module["settings"].get(f"createOptions{at:02}" if at else "createOptions", "") for at in range(8)]
    assert all(len(text) <= 512 for text in texts)
    whole: dict[str, Any] = json.loads("".join(texts))
    return whole
