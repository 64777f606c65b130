"""The twin's rules, as in edgeHub's `ReportedPropertiesValidator.cs`."""

import json
from typing import Any

import pytest

from module.errors import TwinError
from module.simulator.edge_hub.twin import Twin


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


def test_the_document_has_both_sides_and_versions() -> None:
    twin = Twin({"a": 1, "gone": None})
    assert json.loads(twin.document()) == {"desired": {"a": 1, "$version": 1}, "reported": {"$version": 1}}


def test_a_patch_is_merged_and_sent_with_its_version() -> None:
    twin = Twin({"a": {"b": 1, "c": 2}, "list": [1]})
    sent = twin.update_desired({"a": {"b": None, "d": 3}, "list": [2]})
    assert json.loads(sent) == {"a": {"b": None, "d": 3}, "list": [2], "$version": 2}
    assert twin.desired == {"a": {"c": 2, "d": 3}, "list": [2]}


def test_reports_are_merged() -> None:
    twin = Twin({})
    twin.report(b'{"a": {"b": 1}}')
    twin.report(b'{"a": {"c": 2, "b": null}}')
    assert twin.reported == {"a": {"c": 2}}
    assert twin.reported_version == 3


@pytest.mark.parametrize(
    "document",
    [
        {"text": "x" * 4096},
        nested(10),
        {"big": 2**52 - 1, "small": -(2**52)},
        {"list": [1, {"a": "b"}, [2]]},
        {"ümläut-_": True, "none": None},
    ],
)
def test_what_iot_hub_takes(document: dict[str, Any]) -> None:
    Twin({}).report(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        ({"text": "x" * 4097}, "reported property text is longer than 4 KB"),
        ({"a" * 1025: 1}, "has a name longer than 1 KB"),
        ({f"k{n}": "x" * 4000 for n in range(9)}, "the reported properties are larger than the 32 KB"),
        (nested(12), "deeper than 10"),
        ({"a.b": 1}, "a.b has a '.', '\\$', '#' or space in its name"),
        ({"$a": 1}, "or space in its name"),
        ({"#a": 1}, "or space in its name"),
        ({"a b": 1}, "or space in its name"),
        ({"a\x01": 1}, "or space in its name"),
        ({"big": 2**52}, "out of bounds"),
        ({"list": [None]}, "list is null inside an array"),
        ([1], "not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_what_iot_hub_refuses_leaves_the_twin_as_it_was(patch: object, sentence: str) -> None:
    twin = Twin({})
    twin.report(b'{"before": 1}')
    with pytest.raises(TwinError, match=sentence):
        twin.report((patch if isinstance(patch, str) else json.dumps(patch)).encode())
    assert twin.reported == {"before": 1}
