"""Reads and checks IoT Edge deployment manifests and templates: modules, edgeHub routes and module twins."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from scoring.options import misfit

from ...errors import SettingsError
from ..route_language.grammar import RouteSyntaxError
from ..route_language.route import ParsedRoute
from ..route_language.route import parse as parse_route
from . import lenient_json

DEFAULT_PRIORITY = 2_000_000_000
"""What edgeHub gives a route without a priority (`RouteFactory.DefaultPriority`): below all of 0 to 9."""

# Not the parser of routes: in a template there may be placeholders in them, which it would refuse.
_TO_MODULE = re.compile(r"""BrokeredEndpoint\s*\(\s*["']\s*/?modules/([^/"']+)/inputs/[^/"']+""", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$(?:[A-Z_{])")
_HUB, _AGENT = "$edgeHub", "$edgeAgent"
_DESIRED = "properties.desired"


class RouteSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One edgeHub route as schema 1.1 writes it in a manifest (edgeHub's `RouteSpec`).

    Attributes:
        route: the sentence, ``FROM … WHERE … INTO …``.
        priority: 0 (first) to 9, or DEFAULT_PRIORITY.
        time_to_live: seconds that a message may wait for its module; 0: without end.
    """

    route: str
    priority: int = DEFAULT_PRIORITY
    time_to_live: int = msgspec.field(default=0, name="timeToLiveSecs")


class _Credentials(msgspec.Struct):
    username: str = ""
    password: str = ""
    address: str = ""


class _Settings(msgspec.Struct):
    registry_credentials: dict[str, _Credentials] = msgspec.field(name="registryCredentials", default_factory=dict)


class _Runtime(msgspec.Struct):
    settings: _Settings = msgspec.field(default_factory=_Settings)


class _Module(msgspec.Struct):
    env: dict[str, Any] = {}
    settings: dict[str, Any] = {}


class _Agent(msgspec.Struct):
    """What is read of $edgeAgent's desired properties; the schema, which knows the rest, is for what is written."""

    runtime: _Runtime = msgspec.field(default_factory=_Runtime)
    system_modules: dict[str, _Module] = msgspec.field(name="systemModules", default_factory=dict)
    modules: dict[str, _Module] = {}


@dataclass(frozen=True, slots=True)
class EdgeManifest:
    """What a deployment says.

    Attributes:
        path: the file it was read from.
        modules: names of the deployed modules, without the two system modules.
        routes: route name → route.
        desired: module name → desired properties of its twin; the system modules' too.
        images: module name → its image as written; "" if none is written.
        env: module name → its environment as written.
        credentials: registry's name → ``{"username", "password", "address"}`` as written; "" for what is not.
    """

    path: Path
    modules: tuple[str, ...]
    routes: dict[str, RouteSpec]
    desired: dict[str, dict[str, Any]]
    images: dict[str, str] = field(default_factory=dict)
    env: dict[str, dict[str, Any]] = field(default_factory=dict)
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)

    def our_module(self, name: str | None = None) -> str:
        """Give the module that is meant: ``name`` if given, else the only one that routes lead to.

        Raises:
            SettingsError: it is not in the manifest, or several or none could be meant.
        """
        found = [_TO_MODULE.search(spec.route) for spec in self.routes.values()]
        routed = list(dict.fromkeys(each[1].strip() for each in found if each))
        if name is not None:
            known = dict.fromkeys([*self.modules, *routed])
            if name not in known:
                raise SettingsError(f"{self.path} has no module {name}, only {', '.join(known) or 'none'}")
            return name
        if len(routed) == 1:
            return routed[0]
        if not routed:
            for route, spec in self.routes.items():  # a typo is the likeliest reason
                if not _PLACEHOLDER.search(spec.route):
                    self.understood(route)
            raise SettingsError(f"no route in {self.path} leads to a module: add one or choose with --module")
        several = ", ".join(routed)
        raise SettingsError(f"routes in {self.path} lead to several modules, choose with --module: {several}")

    def understood(self, route: str) -> ParsedRoute:
        """Give a route, understood as edgeHub would.

        Raises:
            SettingsError: edgeHub would not take it.
        """
        try:
            return parse_route(self.routes[route].route)
        except RouteSyntaxError as error:
            raise SettingsError(f"route {route} in {self.path} is wrong: {error}") from error


def read(path: Path) -> EdgeManifest:
    """Read a deployment manifest or template.

    Raises:
        SettingsError: it cannot be read, is not JSON or not a deployment; the sentence names the file and the place.
    """
    return parse(path, document(path))


def parse(path: Path, document: dict[str, Any]) -> EdgeManifest:
    """Take a deployment apart that ``document()`` gave, maybe changed since; raises as ``read()`` does."""
    content = _object(path, "modulesContent", document["modulesContent"])
    twins = {name: _desired_of(path, content, name) for name in content}
    routes = _object(path, f"{_HUB} {_DESIRED}.routes", twins.get(_HUB, {}).get("routes", {}))
    try:
        agent = msgspec.convert(twins.get(_AGENT, {}), _Agent)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{_AGENT} {_DESIRED} in {path} do not fit: {misfit(error)}") from error
    return EdgeManifest(
        path=path,
        modules=tuple(dict.fromkeys([*agent.modules, *(name for name in twins if name not in {_HUB, _AGENT})])),
        routes={name: _route(path, name, value) for name, value in routes.items()},
        desired=twins,
        images={name: str(module.settings.get("image", "")) for name, module in agent.modules.items()},
        env={name: module.env for name, module in agent.modules.items()},
        credentials={
            name: msgspec.structs.asdict(each) for name, each in agent.runtime.settings.registry_credentials.items()
        },
    )


def document(path: Path) -> dict[str, Any]:
    """Read the JSON document of a deployment or template as it is; its ``modulesContent`` is an object.

    Older templates of iotedgedev call it ``moduleContent``.

    Raises:
        SettingsError: it cannot be read, is not JSON or not a deployment.
    """
    found = lenient_json.read(path)
    if isinstance(found, dict) and "modulesContent" not in found and "moduleContent" in found:
        found["modulesContent"] = found.pop("moduleContent")
    if not isinstance(found, dict) or "modulesContent" not in found:
        raise SettingsError(f"{path} is not an IoT Edge deployment: it has no modulesContent at the top")
    _object(path, "modulesContent", found["modulesContent"])
    return found


def _desired_of(path: Path, content: dict[str, Any], module: str) -> dict[str, Any]:
    """Give a module's desired properties, those of a layered deployment (``properties.desired.a.b``) merged in."""
    twin = _object(path, module, content.get(module, {}))
    desired = dict(_object(path, f"{module} {_DESIRED}", twin.get(_DESIRED, {})))
    for key, value in twin.items():
        if key.startswith(f"{_DESIRED}."):
            *parents, last = key.removeprefix(f"{_DESIRED}.").split(".")
            place = desired
            for parent in parents:
                place[parent] = place = dict(_object(path, f"{module} {key}", place.get(parent, {})))
            place[last] = value
    return desired


def _route(path: Path, name: str, value: object) -> RouteSpec:
    place = f"route {name} in {path}"
    try:
        spec = RouteSpec(value) if isinstance(value, str) else msgspec.convert(value, RouteSpec)
    except msgspec.ValidationError as error:
        sentence = f"{place} is neither text nor an object with route and priority: {misfit(error)}"
        raise SettingsError(sentence) from error
    if "\n" in spec.route:  # edgeHub would take it, the published schema does not
        raise SettingsError(f"{place} has a line break in it: write it in one line")
    if spec.priority != DEFAULT_PRIORITY and not 0 <= spec.priority <= 9:
        raise SettingsError(f"{place} has priority {spec.priority}, it must be 0 to 9")
    if spec.time_to_live < 0:
        raise SettingsError(f"{place} has timeToLiveSecs {spec.time_to_live}, it must not be negative")
    return spec


def _object(path: Path, place: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{place} in {path} must be a JSON object, not {type(value).__name__}")
    return value
