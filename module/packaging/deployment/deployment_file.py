"""What is to be rolled out, read from a deployment file: which module, which image, under which name."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ...errors import SettingsError
from ..manifest import checks, create_options, edge_manifest
from ..manifest.layered import is_layered
from ..manifest.placeholders import Expansion

_CREDENTIALS = "registryCredentials"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """A deployment file that may go to devices.

    Attributes:
        path: the file.
        content: its ``modulesContent``, with every secret in it.
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


def read(path: Path, module: str | None = None, values: Mapping[str, str] | None = None) -> DeploymentFile:
    """Read and check a deployment file, and fill the secrets in that it leaves as references.

    Args:
        path: the file.
        module: the scoring module; None: the only one that routes lead to.
        values: what the references stand for; None: for whoever fills none in, a reference is refused.

    Raises:
        SettingsError: it is a template, a reference has no value, or it is no valid deployment.
    """
    document = edge_manifest.document(path)
    if "$schema-template" in document:
        raise SettingsError(f"{path} is a template: make a deployment of it with scoring-module manifest")
    edge_manifest.parse(path, document)
    content = document["modulesContent"]
    create_options.join_all(content)
    expand = Expansion(values or {}, "secret")
    content = expand(content)
    if expand.secrets and values is None:
        said = f"{path} leaves secrets as references, which az does not fill in: {', '.join(expand.secrets)}"
        raise SettingsError(f"{said}: write it with scoring-module manifest --with-secrets")
    if expand.missing:
        said = f"secrets in {path} have no value, set them in the environment or --env: {'; '.join(expand.missing)}"
        raise SettingsError(said)
    create_options.split_all(content)
    layered = is_layered(content)
    manifest = edge_manifest.parse(path, {"modulesContent": content})
    ours = manifest.our_module(module)
    if not _NAME.fullmatch(ours):
        raise SettingsError(f"module name {ours} in {path} may only have letters, digits, - and _")
    if ours not in manifest.images:
        raise SettingsError(f"{path} does not deploy module {ours}, which its routes lead to")
    checks.check(path, content, ours, whole=not layered)
    # The same deployment has the same name, whatever the registry's password is today.
    named_by = orjson.dumps(without_credentials(content), option=orjson.OPT_SORT_KEYS)
    name = f"{ours.lower()}-{hashlib.sha256(named_by).hexdigest()[:12]}"
    return DeploymentFile(path, content, ours, manifest.images[ours], layered, name)


def without_credentials(value: Any) -> Any:
    """Give a copy of a deployment's content in which no registry credentials are left."""
    if isinstance(value, dict):
        return {key: without_credentials(inner) for key, inner in value.items() if _CREDENTIALS not in key}
    return value
