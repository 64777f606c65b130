"""edgeHub routes: which message goes where (edgeHub `RouteFactory.cs`, `EndpointFactory.cs`, `Evaluator.cs`)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from lark import Tree

from ...errors import SettingsError
from ...packaging.manifest.edge_manifest import RouteSpec
from .conditions import compile_condition
from .language import RouteSyntaxError, parse
from .messages import RoutedMessage


class Endpoint(NamedTuple):
    """Where a route leads: an input of a module; both empty: $upstream."""

    module: str = ""
    input: str = ""


UPSTREAM = Endpoint()


class Route(NamedTuple):
    """One compiled route.

    Attributes:
        name: its name in the manifest.
        prefix: what a message's source must begin with, in small letters and ending in ``/``.
        passes: the condition.
        endpoint: where it leads.
        priority: 0 first.
        time_to_live: seconds; 0: without end.
    """

    name: str
    prefix: str
    passes: Callable[[RoutedMessage], bool]
    endpoint: Endpoint
    priority: int
    time_to_live: int


def built_in_routes(module: str) -> dict[str, RouteSpec]:
    """Give the routes that are used without a manifest: leaf devices → ``amlInput``, all outputs → $upstream."""
    to_module = f'INTO BrokeredEndpoint("/modules/{module}/inputs/amlInput")'
    return {
        "toModule": RouteSpec(f"FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) {to_module}"),
        "toUpstream": RouteSpec(f"FROM /messages/modules/{module}/outputs/* INTO $upstream"),
    }


def compile_route(name: str, spec: RouteSpec) -> Route:
    """Compile a route as it is written in a manifest.

    Raises:
        SettingsError: edgeHub would not take it; the sentence names the route and the place.
    """
    try:
        tree = parse(spec.route)
        condition = next(tree.find_data("condition"), None)
        passes = _always if condition is None else compile_condition(condition)
        return Route(name, _prefix(tree), passes, _endpoint(tree), spec.priority, spec.time_to_live)
    except RouteSyntaxError as error:
        raise SettingsError(f"route {name} ({spec.route}) is wrong: {error}") from error


class Router:
    """All routes of a hub."""

    def __init__(self, specs: Mapping[str, RouteSpec]) -> None:
        self._routes = [compile_route(name, spec) for name, spec in specs.items()]

    def routes_of(self, message: RoutedMessage) -> Iterable[Route]:
        """Give one route for each place the message goes to: that of the best priority if several lead there."""
        found: dict[Endpoint, Route] = {}
        source = message.source
        for route in self._routes:
            if source.startswith(route.prefix) and route.passes(message):
                other = found.get(route.endpoint)
                if other is None or route.priority < other.priority:
                    found[route.endpoint] = route
        return found.values()


def _always(_: RoutedMessage) -> bool:
    return True


def _prefix(tree: Tree[Any]) -> str:
    """Only stars at the end are left out; one in the middle is a plain character (`CustomMessageSource`)."""
    path = "".join(map(str, next(tree.find_data("path")).children))
    return path.rstrip("*").rstrip("/").lower() + "/"


def _endpoint(tree: Tree[Any]) -> Endpoint:
    sink: Tree[Any] = tree.children[-1]
    if sink.data == "system_endpoint":
        if str(sink.children[0]).lower() != "$upstream":
            raise RouteSyntaxError(f"{sink.children[0]} is not a place, only $upstream and BrokeredEndpoint() are")
        return UPSTREAM
    name, address = str(sink.children[0]), str(sink.children[2])[1:-1].strip()
    parts = address.removeprefix("/").removesuffix("/").split("/")
    if name.lower() != "brokeredendpoint" or len(parts) != 4:
        raise RouteSyntaxError(
            f'{name}("{address}") is not a place: write BrokeredEndpoint("/modules/NAME/inputs/INPUT")'
        )
    return Endpoint(parts[1], parts[3])
