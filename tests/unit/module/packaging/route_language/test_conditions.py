"""Conditions of routes: the cases follow edgeHub's `ConditionVisitor.cs` and its built-in functions."""

import json
from typing import Any

import pytest

from module.errors import SettingsError
from module.packaging.manifest.edge_manifest import RouteSpec
from module.simulator.routing.messages import RoutedMessage
from module.simulator.routing.routes import compile_route

BODY: dict[str, Any] = {
    "machine": {"temperature": 21.5, "name": "press", "on": True, "off": False, "none": None, "parts": [{"id": 7}, 8]},
    "time": "2026-01-02T03:04:05Z",
}
SYSTEM = {
    "message_id": "m1",
    "correlation_id": "c1",
    "content_type": "application/json",
    "content_encoding": "UTF-8",
    "device_id": "dev",
}
PROPERTIES = {"level": "3", "site": "Ulm", "$contentType": "mine", "$body.shadow": "app", "a-b": "dash"}


def passes(condition: str, body: bytes | None = None, **system: str) -> bool:
    route = compile_route("r", RouteSpec(f"FROM /* WHERE {condition} INTO $upstream"))
    raw = json.dumps(BODY).encode() if body is None else body
    return route.passes(RoutedMessage(raw, "/messages/", SYSTEM | system, PROPERTIES))


@pytest.mark.parametrize(
    "condition",
    [
        # application properties are text, their names in any case
        "level = '3'",
        'LEVEL = "3"',
        "site <> 'Bonn' and Site != 'Rom'",
        "a-b = 'dash'",
        "'Ulm' > 'Bonn'",
        "as_number(level) * 2 >= 6",
        "as_number(level) % 2 = 1",
        "10 - 4 / 2 = 8",
        "- as_number(level) < 0",
        "0x1F = 31",
        "1.5e1 = 15",
        r"'it\'s \u0041' = " + '"it\'s A"',
        # AND before OR, NOT before everything
        "true or false and false",
        "not false and true",
        "not (true and false)",
        "(level = '3' or undefined_property = 'x')",
        # undefined
        "not is_defined(nowhere)",
        "is_defined(level)",
        "(nowhere ?? 'else') = 'else'",
        "not is_defined(as_number('x'))",
        "not is_defined(0 / 0)",
        # system properties; the correlation id is called cid
        "$messageId = 'm1'",
        "$MESSAGEID = 'm1'",
        "$cid = 'c1'",
        "not is_defined($correlationId)",
        "$connectionDeviceId = 'dev'",
        "not is_defined($connectionModuleId)",
        "$contentType = 'mine'",  # an application property of that name goes first
        "{$contentType} = 'application/json'",
        # the body
        "$body.machine.temperature > 21",
        "$BODY.machine.parts[0].id + 1 = $body.machine.parts[1]",
        "$body.machine.on",
        "not $body.machine.off",
        "$body.machine.on and level = '3'",
        "$body.machine.name || '!' = 'press!'",
        "$body.machine.none = null",
        "$body.machine.nowhere = null",
        "is_defined($body.machine.nowhere)",  # what the body does not have is null, not undefined
        "not is_defined($body.machine)",  # objects are undefined
        "not is_defined($body.time)",  # edgeHub reads it as a date
        "$body.machine.temperature != 'warm'",
        "$body.shadow = 'app'",
        # functions
        "abs(-2) = 2 and ceiling(1.2) = 2 and floor(1.8) = 1 and sign(-3) = -1",
        "sqrt(9) = 3 and square(3) = 9 and power(2, 3) = 8 and exp(0) = 1",
        "length(site) = 3 and lower(site) = 'ulm' and upper(site) = 'ULM'",
        "starts_with(site, 'U') and ends_with(site, 'm') and contains(site, 'l')",
        "index_of(site, 'm') = 2 and index_of(site, 'x') = -1",
        "substring('hello', 1) = 'ello' and substring('hello', 1, 3) = 'ell'",
        "concat('a', 'b', site) = 'abUlm'",
        "is_string(site) and is_number(5) and is_bool(true) and not is_string(5)",
        "is_null(null) and not is_null(site)",
        "IS_NULL($body.machine.none) and not is_null($body.machine.nowhere)",
    ],
)
def test_true(condition: str) -> None:
    assert passes(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "site = 'ulm'",
        "nowhere = 'x'",
        "not (nowhere = 'x')",  # undefined stays undefined
        "nowhere = 'x' and true",
        "level",  # text is not true
        "null",
        "is_number(1 / 0)",
        "substring('hello', 9) = ''",
        "$body.machine.name and true",
        "is_number($body.machine.name)",
        "twin_change_includes(properties.reported)",
    ],
)
def test_not_true(condition: str) -> None:
    assert not passes(condition)


@pytest.mark.parametrize("condition", ["$body.machine.on", "$body.machine.nowhere = null"])
@pytest.mark.parametrize(
    "change",
    [
        {"content_type": "text/plain"},
        {"content_encoding": "latin-1"},
        {"content_encoding": ""},
    ],
)
def test_a_body_is_read_only_if_type_and_encoding_say_so(condition: str, change: dict[str, str]) -> None:
    assert not passes(condition, **change)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"5", b"\xff"])
def test_a_body_that_is_no_json_object_is_undefined(body: bytes) -> None:
    assert not passes("$body.x = null", body)


def test_other_encodings_are_read() -> None:
    assert passes("$body.x = 1", '{"x": 1}'.encode("utf-16-le"), content_encoding="utf-16")


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("level = 3", "cannot take string and number, use AS_NUMBER"),
        ("not level = '3'", "'not' at character 15 cannot take string"),
        ("level and true", "cannot take string and bool"),
        ("true and $body.x", "cannot take bool and any"),
        ("'a' + 'b' = 'ab'", "cannot take string and string"),
        ("- level = 3", "'-' at character 15 cannot take string"),
        ("-as_number(level) < 0", r"no function -as_number\(\)"),  # a minus sign belongs to the name
        ("$body.x % 2 = 1", "cannot take any and number"),
        ("length(5) = 1", r"length\(\) cannot take \(number\)"),
        ("concat('a') = 'a'", r"concat\(\) cannot take"),
        ("nope(1)", r"there is no function nope\(\)"),
        ("$body.a[b] = 1", r"must look like \$body"),
        ("level = ", "'INTO' at character .* is not expected"),
        ("(level = '3'", "'INTO' at character .* is not expected"),
        ("level = 'x", '"\'x INTO .*" at character 23 is not expected'),
        ("level == '3'", "'=' at character .* is not expected"),
        ("a; b", "';' at character .* is not understood"),
    ],
)
def test_what_edgehub_refuses_is_refused_with_the_place(condition: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=f"route r is wrong: .*({sentence})"):
        passes(condition)
