"""Checks of a deployment: the published JSON Schema, and what it allows although IoT Edge does not; each by name."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
from jsonschema import Draft4Validator

from ...errors import SettingsError
from ...settings import Settings
from ..route_language.grammar import RouteSyntaxError
from ..route_language.route import parse
from .edge_manifest import EdgeManifest

_DESIRED = "properties.desired"
_SCHEMA = Path(__file__).parent / "schemas" / "azure-iot-edge-deployment-2.0.json"  # of json.schemastore.org
_SAYS_NO_VALUE = {"required", "additionalProperties"}


def check_schema(path: Path, document: dict[str, Any]) -> None:
    """Check a deployment that is not layered; ``path`` is what the sentence calls it.

    Raises:
        SettingsError: it does not satisfy the schema; the sentence names the place, never a value.
    """
    errors = Draft4Validator(orjson.loads(_SCHEMA.read_bytes())).iter_errors(document)
    first = min(errors, key=lambda error: len(error.absolute_path), default=None)
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


def check_routes(manifest: EdgeManifest, content: dict[str, Any], ours: str) -> None:
    """Check that edgeHub can read every route, and that it leads somewhere: to $upstream or a deployed module's input.

    Raises:
        SettingsError: it has mistakes, or leads to, or comes from, a module or an input that is not there.
    """
    deployed = set(content["$edgeAgent"][_DESIRED]["modules"])
    there = f"which is not deployed: there are {', '.join(sorted(deployed)) or 'none'}"
    inputs = _inputs_of(ours, content)
    for name, spec in manifest.routes.items():
        place = f"route {name} in {manifest.path}"
        try:
            route = parse(spec.route)
        except RouteSyntaxError as error:
            raise SettingsError(f"{place} is wrong: {error}") from error
        module, input_name = route.endpoint
        source = route.source_module
        if module and module not in deployed:
            raise SettingsError(f"{place} leads to module {module}, {there}")
        if source and source not in deployed:
            raise SettingsError(f"{place} takes messages from module {source}, {there}")
        if module == ours and inputs and input_name not in inputs:
            raise SettingsError(
                f"{place} leads to input {input_name}, which SCORING_ROUTES of module {ours} does not have: "
                f"it has {', '.join(sorted(inputs))}"
            )


def _inputs_of(ours: str, content: dict[str, Any]) -> set[str]:
    """Give the inputs that the module answers on, by its environment alone; none if it takes any."""
    env = content["$edgeAgent"][_DESIRED]["modules"][ours].get("env", {})
    text = env.get("SCORING_ROUTES", {}).get("value", "")
    try:
        routes = msgspec.json.decode(text, type=dict[str, list[str]]) if text else Settings().routes
    except (msgspec.DecodeError, TypeError) as error:
        raise SettingsError(f"env SCORING_ROUTES of module {ours} is not JSON, input → outputs: {error}") from error
    return set() if "*" in routes else set(routes)
