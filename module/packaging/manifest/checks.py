"""Checks of a deployment: the published JSON Schema, and what it allows although IoT Edge does not; each by name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from ...errors import SettingsError
from ...settings import Settings
from ..route_language.route import ParsedRoute
from . import create_options, edge_manifest, module_twin
from .edge_manifest import EdgeManifest
from .twin_limits import check_limits

_SCHEMA = Path(__file__).parent / "schemas" / "azure-iot-edge-deployment-2.0.json"  # of json.schemastore.org
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_SAYS_NO_VALUE = {"required", "additionalProperties"}


class Checked(NamedTuple):
    """What a checked deployment says: our module's settings, its edgeHub routes, the registries with credentials."""

    settings: Settings
    routes: dict[str, ParsedRoute]
    registries: tuple[str, ...]


def check(path: Path, content: dict[str, Any], ours: str, *, whole: bool) -> Checked:
    """Check all that is known to be wrong in a deployment before a device has it.

    Args:
        path: what its sentences call it.
        content: ``modulesContent`` with every value in place, createOptions in pieces.
        ours: the scoring module's name.
        whole: it is no layer, whose routes may lead to modules of the layers below.

    Raises:
        SettingsError: an image, a setting, a desired property, a route or its form is wrong; each by name.
    """
    manifest = edge_manifest.parse(path, {"modulesContent": content})
    settings = module_twin.settings_in(ours, manifest.env.get(ours, {}))
    for name, properties in manifest.desired.items():
        check_limits(name, properties)
    module_twin.check_desired(ours, manifest.desired.get(ours, {}))
    registries = check_registries(manifest, content)
    if whole:
        check_schema(path, {"modulesContent": content})
    routes = {name: manifest.understood(name) for name in manifest.routes}
    if whole:
        check_routes(manifest, routes, ours, settings)
    return Checked(settings, routes, registries)


def check_schema(path: Path, document: dict[str, Any]) -> None:
    """Check a deployment that is not layered; ``path`` is what the sentence calls it.

    Raises:
        SettingsError: it does not satisfy the schema; the sentence names the place, never a value.
    """
    first = best_match(Draft4Validator(orjson.loads(_SCHEMA.read_bytes())).iter_errors(document))
    if first is None:
        return
    place = ".".join(map(str, first.absolute_path)) or "the top"
    rule = f"breaks the rule {first.validator} {orjson.dumps(first.validator_value).decode()[:200]}"
    reason = first.message if first.validator in _SAYS_NO_VALUE else rule
    raise SettingsError(f"{path} is no valid IoT Edge deployment: at {place}: {reason}")


def check_registries(manifest: EdgeManifest, content: dict[str, Any]) -> tuple[str, ...]:
    """Check registry addresses and images, and give the addresses that have credentials.

    Raises:
        SettingsError: one can be no name: a placeholder is left in it, or a scheme, which makes edgeAgent's pull fail
            (iotedge#924).
    """
    images = create_options.settings_of(content.get("$edgeAgent", {}))
    written = {f"registry address of {name}": entry["address"] for name, entry in manifest.credentials.items()}
    written |= {f"image of module {name}": str(settings["image"]) for name, settings in images}
    for what, text in written.items():
        scheme, separator, _ = text.partition("://")
        place = f"{what} in {manifest.path}"
        if separator:
            raise SettingsError(f"{place} begins with {scheme}://, write it without")
        if not _IMAGE.fullmatch(text):
            reason = "a placeholder has no value" if "$" in text else "that is no name of an image or a registry"
            raise SettingsError(f"{place} is {text or 'empty'}: {reason}")
    return tuple(dict.fromkeys(entry["address"] for entry in manifest.credentials.values()))


def check_routes(manifest: EdgeManifest, routes: Mapping[str, ParsedRoute], ours: str, settings: Settings) -> None:
    """Check that every route leads somewhere: to $upstream or a deployed module's input.

    Raises:
        SettingsError: one leads to, or comes from, a module or an input that is not there.
    """
    deployed = manifest.images
    there = f"which is not deployed: there are {', '.join(sorted(deployed)) or 'none'}"
    for name, route in routes.items():
        place = f"route {name} in {manifest.path}"
        module, input_name = route.endpoint
        if module and module not in deployed:
            raise SettingsError(f"{place} leads to module {module}, {there}")
        if route.source_module and not any(map(route.is_from, deployed)):
            raise SettingsError(f"{place} takes messages from module {route.source_module}, {there}")
        if module == ours and not {"*", input_name} & set(settings.routes):
            raise SettingsError(
                f"{place} leads to input {input_name}, which SCORING_ROUTES of module {ours} does not have: "
                f"it has {', '.join(sorted(settings.routes)) or 'none'}"
            )


def idle_routes(routes: Mapping[str, ParsedRoute], ours: str, settings: Settings) -> Iterator[str]:
    """Say which routes take from outputs that our module does not write to, and which outputs no route takes."""
    named = {settings.nothing_output: "SCORING_NOTHING_OUTPUT", settings.errors_output: "SCORING_ERRORS_OUTPUT"}
    named |= {output: "SCORING_ROUTES" for outputs in settings.routes.values() for output in outputs}
    sources = {f"/messages/modules/{ours}/outputs/{output}/".lower(): output for output in named if output}
    for name, route in routes.items():
        if route.is_from(ours) and not any(source.startswith(route.prefix) for source in sources):
            outputs = ", ".join(sorted(sources.values()))
            yield f"route {name} takes nothing: {route.source} is no output of module {ours}, which writes to {outputs}"
    elsewhere = [route.prefix for route in routes.values() if route.endpoint.module != ours]
    for source, output in sources.items():
        if not source.startswith(tuple(elsewhere)):
            yield (
                f"no route takes what module {ours} writes to output {output} ({named[output]}), edgeHub drops it: add "
                f"one FROM /messages/modules/{ours}/outputs/{output} INTO $upstream"
            )
