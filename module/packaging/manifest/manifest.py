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
from ..registry.oci import Layout
from ..registry.reference import ImageReference
from . import checks, create_options, edge_manifest, layered, module_twin
from .placeholders import Expansion
from .twin_limits import check_limits

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
        values_from: where values of placeholders are written, for the sentence that misses one.
    """

    template: Path
    image: str
    module: str | None = None
    gpu: bool = False
    memory: int | None = None
    twin: tuple[tuple[str, str], ...] = ()
    layered: bool = False
    values_from: str = "the environment"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that is ready to be written.

    Attributes:
        document: the JSON document, ``{"modulesContent": …}``.
        module: the scoring module's name.
        routes: names of its edgeHub routes.
        registries: addresses that it has credentials for.
        notes: sentences about what is in it and of no use.
    """

    document: dict[str, Any]
    module: str
    routes: tuple[str, ...]
    registries: tuple[str, ...]
    notes: tuple[str, ...] = ()


def pin(
    name: ImageReference, ask: Callable[[ImageReference], str], layout: Path | None = None
) -> tuple[ImageReference, str]:
    """Pin a tag by the registry's word, else by the image that ``build`` left in a layout on this machine.

    What the tag means when the deployment is written is what every device runs.

    Args:
        name: of the image; a digest in it stays and nothing is asked.
        ask: gives the digest that the registry has for a tag, empty if it has none; raises PackagingError.
        layout: the OCI layout's folder; None: the one that ``build`` uses by default.

    Returns:
        the image by digest, and why the registry has not confirmed it; empty if it has, or if it was given.

    Raises:
        PackagingError: neither knows it; why the registry does not is in the sentence.
    """
    if name.digest:
        return name, ""
    try:
        digest = ask(name)
        trouble = f"{name.host} has no {name.repository}:{name.tag}, push it"
    except PackagingError as error:
        digest, trouble = "", str(error)
    if digest:
        return name._replace(digest=digest), ""
    try:
        digest = Layout(layout).find(str(name)).digest
    except PackagingError as error:
        raise PackagingError(f"{trouble}; {error}") from error
    return name._replace(digest=digest), f"pinned by what build left here: {trouble}"


def build(options: ManifestOptions, values: Mapping[str, str]) -> Deployment:
    """Make the deployment; ``values`` is what its placeholders stand for.

    Raises:
        SettingsError: the template, a placeholder, a route, a desired property or the result is wrong; each by name.
    """
    document = edge_manifest.document(options.template)
    ours = edge_manifest.parse(options.template, document).our_module(options.module)
    _use_image(options, document, ours)
    content = _expanded(options, document["modulesContent"], values)
    document = {"modulesContent": content}
    specs = edge_manifest.parse(options.template, document).routes
    checks.check_schema_versions(options.template, content)
    module = content["$edgeAgent"][_DESIRED]["modules"][ours]
    module["env"] = {"ORT_DISABLE_TELEMETRY": {"value": "1"}, **module.get("env", {})}
    settings = module_twin.settings_in(ours, module["env"])
    _fill_create_options(options, content["$edgeAgent"][_DESIRED], ours, settings)
    content["$edgeHub"][_DESIRED]["routes"] = msgspec.to_builtins(specs)
    desired = content.setdefault(ours, {}).setdefault(_DESIRED, {})
    for place, text in options.twin:
        module_twin.put(desired, place, text)
    manifest = edge_manifest.parse(options.template, document)
    for name, properties in manifest.desired.items():
        check_limits(name, properties)
    module_twin.check_desired(ours, desired)
    checks.check_schema(options.template, document)
    registries = checks.check_registries(options.template, content)
    routes = checks.read_routes(manifest)
    checks.check_routes(manifest, routes, ours, settings)
    notes = (*checks.idle_routes(routes, ours, settings), *module_twin.unheard(ours, desired))
    if options.layered:
        document = layered.layer(document, routes, ours)
    written = edge_manifest.parse(options.template, document)
    return Deployment(document, ours, tuple(written.routes), registries, notes)


def write(deployment: Deployment, path: Path) -> None:
    """Write a deployment so that only its owner can read it: registry passwords are in it.

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


def _expanded(options: ManifestOptions, content: dict[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    expand = Expansion(values)
    expanded: dict[str, Any] = expand(content)
    if expand.missing:
        missing = "; ".join(dict.fromkeys(expand.missing))
        raise SettingsError(
            f"placeholders in {options.template} have no value, set them in {options.values_from}: {missing}"
        )
    return expanded


def _fill_create_options(options: ManifestOptions, agent: dict[str, Any], ours: str, settings: Settings) -> None:
    """Write every module's createOptions in pieces, those of ours with what is missing added."""
    for name, module in {**agent.get("systemModules", {}), **agent.get("modules", {})}.items():
        written = module.get("settings", {})
        container = create_options.join(name, written)
        if name == ours:
            container = create_options.for_scoring(ours, settings, container, gpu=options.gpu, memory=options.memory)
        others = {key: value for key, value in written.items() if not key.startswith("createOptions")}
        module["settings"] = {**others, **create_options.split(name, container)}
