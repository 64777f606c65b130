"""What IoT Hub and edgeHub take as a twin's properties (edgeHub `ReportedPropertiesValidator.cs`)."""

import json
from typing import Any

import pytest
from template_edits import build

from module.errors import SettingsError
from module.packaging.manifest import twin_limits


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    "desired",
    [
        {"text": "x" * 4096},
        {"ä" * 512: 1},
        nested(11),  # ten objects inside the outermost one, as in IoT Hub's documentation
        {"list": nested(10)},
        {"big": 2**52 - 1, "small": -(2**52)},
        {f"{number:04}": "" for number in range(8 * 1024)},  # neither quotes nor commas count
        {"list": [1, {"a": "b"}, [2]], "none": None},
    ],
)
def test_what_iot_hub_takes(desired: dict[str, Any]) -> None:
    twin_limits.check_limits("other", desired)


@pytest.mark.parametrize(
    ("desired", "sentence"),
    [
        ({"a": {"text": "ä" * 2049}}, "a.text of module other is longer than 4 KB"),
        ({"a" * 1025: 1}, "of module other has a name longer than 1 KB"),
        ({f"k{n}": "x" * 4000 for n in range(9)}, "module other are larger than the 32 KB of a twin"),
        ({f"{number:04}": "" for number in range(8 * 1024 + 1)}, "module other are larger than the 32 KB of a twin"),
        (nested(12), "a.a.a.a.a.a.a.a.a.a.a of module other is nested deeper than 10 levels"),
        ({"list": [[[[[[[[[[[1]]]]]]]]]]]}, "list of module other is nested deeper than 10 levels"),
        ({"a": {"a.b": 1}}, "a.a.b of module other has a '.', '$', '#' or space in its name"),
        ({"a\x7f": 1}, "has a '.', '$', '#' or space in its name"),
        ({"a\u00a0b": 1}, "has a '.', '$', '#' or space in its name"),
        ({"big": 10**30}, "big of module other is an integer out of bounds"),
        ({"a": {"big": 2**52}}, "a.big of module other is an integer out of bounds"),
        ({"a": [{"b": None}]}, "a.b of module other is null inside an array"),
        ({"a": [{"b c": 1}]}, "a.b c of module other has a '.', '$', '#' or space in its name"),
        ({"a": ["x" * 4097]}, "a of module other is longer than 4 KB"),
    ],
)
def test_what_iot_hub_refuses_is_named(desired: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        twin_limits.check_limits("other", desired)
    assert sentence in str(caught.value)


def test_a_deployment_is_checked_with_the_same_table() -> None:
    with pytest.raises(SettingsError, match=r"desired property model.version of module scoring is an integer out of"):
        build(twin=(("model.version", json.dumps(2**53)),))
