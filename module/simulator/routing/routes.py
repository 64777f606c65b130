"""edgeHub routes: which message goes where (edgeHub `RouteFactory.cs`, `Evaluator.cs`)."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...errors import SettingsError
from ...packaging.manifest.edge_manifest import RouteSpec
from ...packaging.route_language.grammar import RouteSyntaxError
from ...packaging.route_language.route import Endpoint, parse
from .messages import RoutedMessage


class Route(NamedTuple):
    """One compiled route.

    Attributes:
        prefix: what a message's source must begin with, in small letters and ending in ``/``.
        passes: the condition.
        endpoint: where it leads.
        priority: 0 first.
        time_to_live: seconds; 0: without end.
    """

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
        parsed = parse(spec.route)
    except RouteSyntaxError as error:
        raise SettingsError(f"route {name} is wrong: {error}") from error
    return Route(parsed.prefix, parsed.passes, parsed.endpoint, spec.priority, spec.time_to_live)


def routes_of(message: RoutedMessage, routes: Iterable[Route]) -> Iterable[Route]:
    """Give one route for each place the message goes to: that of the best priority if several lead there."""
    found: dict[Endpoint, Route] = {}
    for route in routes:
        if message.source.startswith(route.prefix) and route.passes(message):
            other = found.get(route.endpoint)
            if other is None or route.priority < other.priority:
                found[route.endpoint] = route
    return found.values()
