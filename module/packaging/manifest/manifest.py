"""Turns a deployment template into a deployment: values in place, the image pinned, everything checked by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ...errors import PackagingError, SettingsError
from ...settings import Settings
from ..models.trees import write_whole
from ..registry.oci import PUSHED, Layout
from ..registry.reference import ImageReference
from . import checks, create_options, edge_manifest, layered, module_twin
from .placeholders import Expansion

_GENERATIONS = ("1", "2", "3", "4")  # of iotedgedev's templates
_DESIRED = "properties.desired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """What the command line says of a deployment.

    Attributes:
        template: the file to start from.
        image: the scoring module's image, pinned: ``NAME@sha256:…``.
        module: the scoring module's name; None: the only one that routes lead to.
        gpu: ask for the device's GPUs.
        memory: the container's limit in bytes; None: as in the template.
        twin: ``(place, value as JSON or text)`` to set in the module's twin.
        layered: make a layer for a base deployment that has the system modules.
        with_secrets: write secrets into it; else their placeholders stay, for ``deploy`` to fill in.
        values_from: where values of placeholders are written, for the sentence that misses one.
    """

    template: Path
    image: str
    module: str | None = None
    gpu: bool = False
    memory: int | None = None
    twin: tuple[tuple[str, str], ...] = ()
    layered: bool = False
    with_secrets: bool = False
    values_from: str = "the environment"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that is ready to be written.

    Attributes:
        document: the JSON document, ``{"modulesContent": …}``.
        module: the scoring module's name.
        routes: names of its edgeHub routes.
        registries: addresses that it has credentials for.
        notes: sentences about what is in it and of no use, or no business there.
        secrets: names of the placeholders that stand for secrets in it.
    """

    document: dict[str, Any]
    module: str
    routes: tuple[str, ...]
    registries: tuple[str, ...]
    notes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def pin(
    name: ImageReference, ask: Callable[[ImageReference], str], layout: Path | None = None
) -> tuple[ImageReference, str]:
    """Pin a tag by the registry's word; if it does not answer, by the image that was pushed from this machine.

    What the tag means when the deployment is written is what every device runs: never what no device could pull.

    Args:
        name: of the image; a digest in it stays and nothing is asked.
        ask: gives the digest that the registry has for a tag, empty if it has none; raises PackagingError.
        layout: the OCI layout's folder; None: the one that ``build`` uses by default.

    Returns:
        the image by digest, and why the registry has not confirmed it; empty if it has, or if it was given.

    Raises:
        PackagingError: the registry has it not, or does not answer and nothing was pushed from here.
    """
    if name.digest:
        return name, ""
    try:
        pinned = name._replace(digest=ask(name))
    except PackagingError as error:
        trouble = str(error)
    else:
        if not pinned.digest:
            raise PackagingError(f"{name.host} has no {name.repository}:{name.tag}: scoring-module push {name}")
        return pinned, ""

    def refuse() -> bool:
        raise PackagingError(f"what build left here as {name} is not known to be pushed: scoring-module push {name}")

    try:
        left = Layout(layout)
        pinned = name._replace(digest=left.find(str(name)).digest)
        left.once(PUSHED.format(pinned), bool, refuse, lambda _: ())
    except PackagingError as error:
        raise PackagingError(f"{trouble}; {error}") from error
    return pinned, f"pinned by what was pushed from here: {trouble}"


def build(options: ManifestOptions, values: Mapping[str, str]) -> Deployment:
    """Make the deployment; ``values`` is what its placeholders stand for.

    Raises:
        SettingsError: the template, a placeholder, a route, a desired property or the result is wrong; each by name.
    """
    path = options.template
    document = edge_manifest.document(path)
    template = edge_manifest.parse(path, document)
    ours = template.our_module(options.module)
    _use_image(options, document, ours)
    content = document["modulesContent"]
    create_options.join_all(content)
    notes = _raise_schema_versions(path, content)
    generation = str(document.get("$schema-template", _GENERATIONS[0]))
    if generation.partition(".")[0] not in _GENERATIONS:
        notes.append(f"$schema-template of {path} is {generation}: known are 1.0 to 4.0, what others add is not read")
    filled, kept = Expansion(values), Expansion(values, "public")
    whole, public = filled(content), kept(content)
    if filled.missing:
        missing = "; ".join(dict.fromkeys(filled.missing))
        raise SettingsError(f"placeholders in {path} have no value, set them in {options.values_from}: {missing}")
    env = whole["$edgeAgent"][_DESIRED]["modules"][ours].get("env", {})
    settings = module_twin.settings_in(ours, env)
    for each in (whole, public):
        _complete(options, each, ours, settings)
    checked = checks.check(path, whole, ours, whole=True)
    notes += checks.idle_routes(checked.routes, ours, settings)
    notes += module_twin.unheard(ours, whole[ours][_DESIRED])
    for name, entry in template.credentials.items():
        if entry["password"] and "$" not in entry["password"]:
            notes.append(f"the password of registry {name} is written in {path} itself: write $NAME, its value in .env")
    written = whole if options.with_secrets else public
    if options.layered:
        written = layered.layer(written, checked.routes, ours)
    document = {"modulesContent": written}
    routes = edge_manifest.parse(path, document).routes
    return Deployment(document, ours, tuple(routes), checked.registries, tuple(notes), tuple(filled.secrets))


def write(deployment: Deployment, path: Path) -> None:
    """Write a deployment so that only its owner can read it: secrets may be in it.

    Raises:
        SettingsError: it cannot be written.
    """
    write_private(path, orjson.dumps(deployment.document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, whole or not at all.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _use_image(options: ManifestOptions, document: dict[str, Any], ours: str) -> None:
    """Put the image in before placeholders are looked for: those of the old image need no value."""
    agent = document["modulesContent"].get("$edgeAgent", {}).get(_DESIRED, {})
    module = agent.get("modules", {}).get(ours)
    if not isinstance(module, dict):
        raise SettingsError(
            f"module {ours}, which routes in {options.template} lead to, is not among the modules of $edgeAgent"
        )
    module.setdefault("settings", {})["image"] = options.image


def _raise_schema_versions(path: Path, content: dict[str, Any]) -> list[str]:
    """Make both system modules' schema 1.1, and say so: 1.0 knows no routes with a priority, 1.2 is gone again.

    Raises:
        SettingsError: it is another, or a system module is missing.
    """
    notes = []
    for module, changed in (("$edgeAgent", ("1.0",)), ("$edgeHub", ("1.0", "1.2"))):
        desired = content.get(module, {}).get(_DESIRED)
        if not isinstance(desired, dict):
            raise SettingsError(f"{path} has no {_DESIRED} for {module}")
        version = desired.get("schemaVersion")
        if version in changed:
            desired["schemaVersion"] = "1.1"
            said = f"{module} in {path} has schemaVersion {version}"
            notes.append(f"{said}, written is 1.1: devices need IoT Edge 1.0.10 or newer")
        elif version != "1.1":
            raise SettingsError(f"{module} in {path} has schemaVersion {version}: write 1.1")
    return notes


def _complete(options: ManifestOptions, content: dict[str, Any], ours: str, settings: Settings) -> None:
    """Add to a filled-in template what our module needs; write routes and createOptions as deployments have them."""
    module = content["$edgeAgent"][_DESIRED]["modules"][ours]
    module["env"] = {"ORT_DISABLE_TELEMETRY": {"value": "1"}, **module.get("env", {})}
    container = module["settings"]["createOptions"]
    module["settings"]["createOptions"] = create_options.for_scoring(
        ours, settings, container, gpu=options.gpu, memory=options.memory
    )
    create_options.split_all(content)
    routes = edge_manifest.parse(options.template, {"modulesContent": content}).routes
    content["$edgeHub"][_DESIRED]["routes"] = msgspec.to_builtins(routes)
    desired = content.setdefault(ours, {}).setdefault(_DESIRED, {})
    for place, text in options.twin:
        module_twin.put(desired, place, text)
