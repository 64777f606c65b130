"""Routes taken apart: where they come from and lead to; templates still have placeholders in them."""

from pathlib import Path

import pytest
from template_edits import VALUES, build, edited, routes

from module.errors import SettingsError
from module.packaging.manifest.edge_manifest import RouteSpec
from module.packaging.route_language.route import UPSTREAM, Endpoint, parse
from module.simulator.routing.messages import RoutedMessage
from module.simulator.routing.routes import compile_route

LEAF = RoutedMessage(b"", "/messages/", {}, {})
DEEP = [("(", "true", ")"), ("NOT ", "true", ""), ("true AND ", "true", ""), ("'' || ", "'' = ''", "")]
WRONG = [
    f"FROM /messages/* WHERE {condition} INTO $upstream"
    for condition in (
        "temperature > 5",
        "foo()",
        "IS_DEFINED()",
        "IS_DEFINED(a, b)",
        "$body > 5",
        "$body. > 5",
        "a = 1 AND b = 2",
        'a ?? "x" = "x"',
        "$twin.tags.x = 1",
        "twin.tags.x = 1",
        "-a > 1",
        "a || 1 = 'x'",
        "length(5) = 1",
        "$body.a[b] = 1",
        f"0x{'F' * 256} > 1",
        f"a = '{'x' * 2000}",
        *(f"{opens * 400}{middle}{closes * 400}" for opens, middle, closes in DEEP),
    )
]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("/messages/*", ""),
        ("/messages/modules/*", ""),
        ("/messages/modules/a/outputs/*", "a"),
        ("/Messages/Modules/A-b", "A-b"),
        ("/twinChangeNotifications", ""),
    ],
)
def test_the_one_module_that_a_route_takes_messages_from(source: str, module: str) -> None:
    parsed = parse(f"FROM {source} INTO $upstream")
    assert (parsed.source, parsed.source_module) == (source, module)
    assert parsed.endpoint is UPSTREAM


@pytest.mark.parametrize("route", WRONG)
def test_what_simulate_refuses_manifest_refuses_in_the_same_words(tmp_path: Path, route: str) -> None:
    """One language: a deployment that is written is one that the simulator understands, and the other way round."""
    with pytest.raises(SettingsError, match=r"^route r is wrong: ") as simulated:
        compile_route("r", RouteSpec(route))
    template = edited(tmp_path, lambda content: routes(content).update(r={"route": route}))
    with pytest.raises(SettingsError, match=r"^route r in .* is wrong: ") as written:
        build(template)
    said = str(simulated.value).removeprefix("route r is wrong: ")
    assert str(written.value).endswith(said)
    assert "\n" not in said
    assert len(said) < 300


@pytest.mark.parametrize("depth", [1, 190])
@pytest.mark.parametrize(("opens", "middle", "closes"), DEEP)
def test_a_condition_of_many_parts_is_followed_for_a_message(depth: int, opens: str, middle: str, closes: str) -> None:
    passes = parse(f"FROM /* WHERE {opens * depth}{middle}{closes * depth} INTO $upstream").passes
    assert passes(LEAF) is (opens != "NOT " or depth % 2 == 0)


def test_places_and_conditions_are_found() -> None:
    parsed = parse("from /messages/* where a = 'INTO $upstream' into brokeredendpoint( ' /modules/m/inputs/i ' )")
    assert parsed.endpoint == Endpoint("m", "i")


def test_a_template_may_have_placeholders_in_its_routes(tmp_path: Path) -> None:
    """They are filled in before routes are parsed, and the scoring module is known before that."""
    route = 'FROM /messages/modules/${SENDER}/outputs/* INTO BrokeredEndpoint("/modules/scoring/inputs/amlInput")'
    template = edited(tmp_path, lambda content: routes(content).update(placeholder={"route": route}))
    content = build(template, {**VALUES, "SENDER": "scoring"})
    assert "/modules/scoring/outputs/*" in routes(content)["placeholder"]["route"]
