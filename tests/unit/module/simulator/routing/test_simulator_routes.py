"""Routes: sources, places and priorities, as in edgeHub's `RouteFactory.cs` and `Evaluator.cs`."""

from collections.abc import Iterable

import pytest

from module.errors import SettingsError
from module.packaging.manifest.edge_manifest import RouteSpec
from module.packaging.route_language.route import UPSTREAM, Endpoint
from module.simulator.routing.messages import RoutedMessage, from_module
from module.simulator.routing.routes import Route, built_in_routes, compile_route, routes_of

LEAF = RoutedMessage(b"", "/messages/", {}, {})


def output(name: str, module: str = "Scoring") -> RoutedMessage:
    return from_module(b"", f"%24.on={name}" if name else "", "dev", module, "now")


def routes(specs: dict[str, RouteSpec], message: RoutedMessage) -> Iterable[Route]:
    return routes_of(message, [compile_route(name, spec) for name, spec in specs.items()])


def leads(source: str, message: RoutedMessage) -> bool:
    return bool(routes({"r": RouteSpec(f"FROM {source} INTO $upstream")}, message))


@pytest.mark.parametrize(
    ("source", "message", "expected"),
    [
        ("/*", LEAF, True),
        ("/messages/*", LEAF, True),
        ("/messages", LEAF, True),
        ("/messages/modules/*", LEAF, False),
        ("/messages/*", output("a"), True),
        ("/messages/modules/scoring/*", output("a"), True),
        ("/messages/modules/scoring/outputs/*", output("a"), True),
        ("/messages/modules/scoring/outputs/a", output("a"), True),
        ("/messages/modules/SCORING/outputs/A", output("a"), True),
        ("/messages/modules/scoring/outputs/a", output("ab"), False),
        ("/messages/modules/scoring/outputs/*", output(""), False),
        ("/messages/modules/score/*", output("a"), False),
        ("/messages/modules/*/outputs/a", output("a"), False),  # a star in the middle is no wildcard
        ("/twinChangeNotifications", output("a"), False),
    ],
)
def test_a_source_is_a_prefix_of_whole_names(source: str, message: RoutedMessage, expected: bool) -> None:
    assert leads(source, message) is expected


def test_places() -> None:
    to = "FROM /messages/* INTO "
    assert compile_route("r", RouteSpec(to + "$UPSTREAM")).endpoint is UPSTREAM
    for text in ('BrokeredEndpoint("/modules/m/inputs/i")', "brokeredendpoint('modules/m/inputs/i/')"):
        assert compile_route("r", RouteSpec(to + text)).endpoint == Endpoint("m", "i")


def test_select_star_is_allowed() -> None:
    assert compile_route("r", RouteSpec("SELECT * FROM /messages/* INTO $upstream")).prefix == "/messages/"


def test_of_several_routes_to_one_place_the_best_priority_counts() -> None:
    into = 'FROM /messages/* INTO BrokeredEndpoint("/modules/m/inputs/i")'
    specs = {"late": RouteSpec(into), "soon": RouteSpec(into, 3, 60), "never": RouteSpec(into, 5)}
    [found] = routes(specs, LEAF)
    assert (found.priority, found.time_to_live) == (3, 60)


def test_two_places_are_two_routes() -> None:
    specs = {"up": RouteSpec("FROM /messages/* INTO $upstream"), **built_in_routes("m")}
    assert {route.endpoint for route in routes(specs, LEAF)} == {UPSTREAM, Endpoint("m", "amlInput")}


def test_built_in_routes_take_leaf_devices_in_and_outputs_up() -> None:
    specs = built_in_routes("scoring")
    assert [route.endpoint for route in routes(specs, LEAF)] == [Endpoint("scoring", "amlInput")]
    assert [route.endpoint for route in routes(specs, output("any"))] == [UPSTREAM]


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ("", "it ends too early"),
        ("FROM /messages/*", "it ends too early"),
        ("FROM messages INTO $upstream", "'messages' at character 6 is not expected"),
        ("FROM /messages/* INTO $cloud", "is not a place"),
        ("FROM /messages/* INTO Endpoint('/modules/m/inputs/i')", "is not a place"),
        ("FROM /messages/* INTO BrokeredEndpoint('/modules/m')", "is not a place"),
        ("FROM /messages/* INTO BrokeredEndpoint('/modules//inputs/i')", "is not a place"),
        ("FROM /messages/* INTO BrokeredEndpoint('/modules/m/inputs/')", "is not a place"),
        ("FROM /messages/* WHERE INTO $upstream", "'INTO' at character 24 is not expected"),
        ("FROM /messages/* INTO $upstream $upstream", "is not expected"),
    ],
)
def test_a_wrong_route_is_a_sentence_with_its_name(route: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=r"route r .*") as caught:
        compile_route("r", RouteSpec(route))
    assert sentence in str(caught.value)
