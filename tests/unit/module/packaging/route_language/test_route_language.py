"""Routes taken apart: where they come from and lead to; templates still have placeholders in them."""

from pathlib import Path

import pytest
from template_edits import VALUES, build, edited, routes

from module.packaging.route_language.grammar import UPSTREAM, Endpoint, parse


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
    assert (parsed.condition, parsed.endpoint) == (None, UPSTREAM)


def test_places_and_conditions_are_found() -> None:
    parsed = parse("from /messages/* where a = 'INTO $upstream' into brokeredendpoint( ' /modules/m/inputs/i ' )")
    assert parsed.endpoint == Endpoint("m", "i")
    assert parsed.condition is not None


def test_a_template_may_have_placeholders_in_its_routes(tmp_path: Path) -> None:
    """They are filled in before routes are parsed, and the scoring module is known before that."""
    route = 'FROM /messages/modules/${SENDER}/outputs/* INTO BrokeredEndpoint("/modules/scoring/inputs/amlInput")'
    template = edited(tmp_path, lambda content: routes(content).update(placeholder={"route": route}))
    content = build(template, {**VALUES, "SENDER": "scoring"})
    assert "/modules/scoring/outputs/*" in routes(content)["placeholder"]["route"]
