"""Checks of a deployment: the published JSON Schema, and what it allows although IoT Edge does not; each by name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from ...errors import SettingsError
from ...settings import Settings
from ..route_language.grammar import RouteSyntaxError
from ..route_language.route import ParsedRoute, parse
from .edge_manifest import EdgeManifest

_DESIRED = "properties.desired"
_SCHEMA = Path(__file__).parent / "schemas" / "azure-iot-edge-deployment-2.0.json"  # of json.schemastore.org
_SAYS_NO_VALUE = {"required", "additionalProperties"}


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


def check_schema_versions(path: Path, content: dict[str, Any]) -> None:
    """Check that both system modules have schema 1.1: older ones ignore routes with a priority.

    Raises:
        SettingsError: another version, or a system module is missing.
    """
    for module in ("$edgeAgent", "$edgeHub"):
        desired = content.get(module, {}).get(_DESIRED)
        if not isinstance(desired, dict):
            raise SettingsError(f"{path} has no {_DESIRED} for {module}")
        if desired.get("schemaVersion") != "1.1":
            raise SettingsError(f"{module} in {path} has schemaVersion {desired.get('schemaVersion')}: write 1.1")


def check_registries(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    """Check registry addresses and images, and give the addresses that have credentials.

    Raises:
        SettingsError: a scheme is in an address or image, which makes edgeAgent's pull fail (iotedge#924).
    """
    agent = content["$edgeAgent"][_DESIRED]
    credentials = agent["runtime"]["settings"].get("registryCredentials", {})
    modules = {**agent["systemModules"], **agent["modules"]}
    written = {f"registry address of {name}": entry["address"] for name, entry in credentials.items()}
    written |= {f"image of module {name}": module["settings"]["image"] for name, module in modules.items()}
    for place, text in written.items():
        scheme, separator, _ = text.partition("://")
        if separator:
            raise SettingsError(f"{place} in {path} begins with {scheme}://, write it without")
    return tuple(dict.fromkeys(entry["address"] for entry in credentials.values()))


def read_routes(manifest: EdgeManifest) -> dict[str, ParsedRoute]:
    """Give every route, understood as edgeHub would.

    Raises:
        SettingsError: edgeHub would not take one.
    """
    routes = {}
    for name, spec in manifest.routes.items():
        try:
            routes[name] = parse(spec.route)
        except RouteSyntaxError as error:
            raise SettingsError(f"route {name} in {manifest.path} is wrong: {error}") from error
    return routes


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
