"""What is to be rolled out, read from a deployment file: which module, which image, under which name."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ...errors import SettingsError
from ..manifest import checks, edge_manifest
from ..manifest.layered import is_layered
from ..manifest.twin_limits import check_limits

_CREDENTIALS = "registryCredentials"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """A deployment file that may go to devices.

    Attributes:
        path: the file.
        content: its ``modulesContent``.
        module: the scoring module's name.
        image: its image.
        layered: whether it is a layer.
        name: the configuration's id: the module and a hash of the content without its credentials.
    """

    path: Path
    content: dict[str, Any]
    module: str
    image: str
    layered: bool
    name: str


def read(path: Path, module: str | None = None) -> DeploymentFile:
    """Read and check a deployment file.

    Raises:
        SettingsError: it is a template, a placeholder is left in an image or address, or it is no valid deployment.
    """
    document = edge_manifest.document(path)
    if "$schema-template" in document:
        raise SettingsError(f"{path} is a template: make a deployment of it with scoring-module manifest")
    manifest = edge_manifest.parse(path, document)
    checks.read_routes(manifest)
    for name, desired in manifest.desired.items():
        check_limits(name, desired)
    content = document["modulesContent"]
    layered = is_layered(content)
    if not layered:
        checks.check_schema(path, document)
    for each, image in manifest.images.items():
        if "$" in image or not image:
            raise SettingsError(
                f"the image of module {each} in {path} is {image or 'empty'}: a placeholder has no value"
            )
    ours = manifest.our_module(module)
    if not _NAME.fullmatch(ours):
        raise SettingsError(f"module name {ours} in {path} may only have letters, digits, - and _")
    if ours not in manifest.images:
        raise SettingsError(f"{path} does not deploy module {ours}, which its routes lead to")
    # The same deployment has the same name, whatever the registry's password is today.
    named_by = orjson.dumps(without_credentials(content), option=orjson.OPT_SORT_KEYS)
    name = f"{ours.lower()}-{hashlib.sha256(named_by).hexdigest()[:12]}"
    return DeploymentFile(path, content, ours, manifest.images[ours], layered, name)


def without_credentials(value: Any) -> Any:
    """Give a copy of a deployment's content in which no registry credentials are left."""
    if isinstance(value, dict):
        return {key: without_credentials(inner) for key, inner in value.items() if _CREDENTIALS not in key}
    return value
