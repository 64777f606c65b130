"""What devices send: plain telemetry, and every odd thing that a device, a gateway or an attacker may send."""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

TAG = "chaos"
"""The application property that says which input an answer belongs to: the module carries properties over."""


@dataclass(frozen=True)
class Input:
    """One input message; equal ones have one tag.

    Attributes:
        tag: which message this is.
        kind: a key of KINDS.
        value: the JSON value that the body says; None where it says none.
    """

    tag: int
    kind: str
    value: object
    body: bytes
    system: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    input: str = "amlInput"

    @property
    def message_id(self) -> str:
        """The id that its sender gave it, empty if none."""
        return self.system.get("message_id", "")


def telemetry(draw: random.Random, tag: int) -> dict[str, object]:
    """Give a plain reading; ``x`` is for the model without code."""
    return {
        "n": tag,
        "values": [draw.randint(-1_000_000, 1_000_000) for _ in range(draw.randint(1, 12))],
        "x": [draw.randint(-999, 999) for _ in range(3)],
        "text": draw.choice(["", "ok", 'ä€ "quoted" \\ /', "line\nline\ttab", "𝄞 \u0000 end", "x" * 300]),
    }


def make(draw: random.Random, tag: int, kind: str, do: str = "") -> list[Input]:
    """Give the messages of one kind with this tag, one or several equal ones; ``do``: what the script shall do."""
    value = telemetry(draw, tag) | ({"do": do} if do else {})
    plain = Input(
        tag=tag,
        kind=f"do {do}" if do else kind,
        value=value,
        body=json.dumps(value).encode(),
        system={"message_id": f"m{tag}", "content_type": "application/json", "content_encoding": "utf-8"},
        properties={TAG: str(tag), "line": f"L {tag % 7}"},
    )
    return KINDS[kind](draw, plain)


def _with(
    given: Input,
    *,
    body: bytes | None = None,
    value: object = ...,
    system: dict[str, str | None] | None = None,
    properties: dict[str, str] | None = None,
) -> list[Input]:
    merged = {**given.system, **(system or {})}
    return [
        Input(
            tag=given.tag,
            kind=given.kind,
            value=given.value if value is ... else value,
            body=given.body if body is None else body,
            system={name: text for name, text in merged.items() if text is not None},
            properties={**given.properties, **(properties or {})},
        )
    ]


def _raw(body: bytes) -> "Callable[[random.Random, Input], list[Input]]":
    return lambda draw, given: _with(given, body=body, value=None)


def _twins(draw: random.Random, given: Input) -> list[Input]:
    return [given] * draw.randint(2, 3)


def _rows(draw: random.Random, given: Input) -> list[Input]:
    rows = [telemetry(draw, given.tag) for _ in range(draw.randint(1, 5))]
    return _with(given, body=json.dumps(rows).encode(), value=rows)


def _odd_id(draw: random.Random, given: Input) -> list[Input]:
    odd = draw.choice(["ä/#+ %&=€", "$.mid=1&$.on=x", "line\nline", " ", "%41", "🦊" * 10, "x" * 127, "x" * 400])
    return _with(given, system={"message_id": f"{odd}{given.tag}"})


def _large(draw: random.Random, given: Input) -> list[Input]:
    value = {**_fields(given), "values": [draw.randint(0, 9)] * draw.randint(20_000, 60_000)}
    return _with(
        given, body=gzip.compress(json.dumps(value).encode(), 1), value=value, system={"content_encoding": "gzip"}
    )


def _fields(given: Input) -> dict[str, object]:
    assert isinstance(given.value, dict)
    return given.value


def _near_the_topics_end(draw: random.Random, given: Input) -> list[Input]:
    """Properties that fill an input's topic up to MQTT's 65,535 bytes: the answer's has more to say."""
    return _with(given, properties={"long": "p" * draw.randint(58_000, 65_200)})


_SIXTEEN_MB = gzip.compress(b'{"n": "' + b"x" * (17 << 20) + b'"}', 9)
_MANY_ROWS = gzip.compress(b"[" + b"[]," * 1_000_000 + b"[]]", 9)
_MANY_NUMBERS = gzip.compress(b'{"n": 1, "x": [1, 2, 3], "values": [' + b"0.1," * 1_000_000 + b"7]}", 9)

KINDS: dict[str, Callable[[random.Random, Input], list[Input]]] = {
    "plain": lambda draw, given: [given],
    "gzip": lambda draw, given: _with(given, body=gzip.compress(given.body), system={"content_encoding": "gzip"}),
    "text": lambda draw, given: _with(given, system={"content_type": "text/plain"}),
    "no type": lambda draw, given: _with(given, system={"content_type": None, "content_encoding": None}),
    "rows": _rows,
    "no id": lambda draw, given: _with(given, system={"message_id": None}),
    "same id": lambda draw, given: _with(given, system={"message_id": "the same"}),
    "twins": _twins,
    "odd id": _odd_id,
    "correlated": lambda draw, given: _with(given, system={"correlation_id": f"c/{given.tag}&ä"}),
    "long properties": lambda draw, given: _with(given, properties={f"p{n}": "v" * 999 for n in range(15)}),
    "large": _large,
    "empty": _raw(b""),
    "not utf-8": _raw(b'{"n": "\xff\xfe"}'),
    "no json": _raw(b'{"n": 1,, '),
    "deep": _raw(b"[" * 6000 + b"]" * 6000),
    "bomb": lambda draw, given: _with(given, body=_SIXTEEN_MB, value=None, system={"content_encoding": "gzip"}),
    "broken gzip": lambda draw, given: _with(
        given, body=gzip.compress(given.body)[:-9], value=None, system={"content_encoding": "gzip"}
    ),
    # What these give is not written down; one answer each is.
    "huge number": _raw(b'{"n": 1, "x": [1, 2, 3], "values": [123456789012345678901234567890, 1e999]}'),
    "surrogate": _raw(b'{"n": 1, "x": [1, 2, 3], "values": [1], "text": "\\ud800"}'),
    "picture": lambda draw, given: _with(given, value=None, system={"content_type": "image/png"}),
    "odd type": lambda draw, given: _with(given, value=None, system={"content_type": "?;=\n", "content_encoding": "x"}),
    "topic's end": _near_the_topics_end,
    "many rows": lambda draw, given: _with(given, body=_MANY_ROWS, value=None, system={"content_encoding": "gzip"}),
    "many numbers": lambda draw, given: _with(
        given,
        body=_MANY_NUMBERS,
        value=None,
        system={"content_encoding": "gzip"},
    ),
}

SURE_ERRORS = frozenset({"empty", "not utf-8", "no json", "deep", "bomb", "broken gzip"})
UNSURE = frozenset({"huge number", "surrogate", "picture", "odd type", "many numbers", "many rows"})
"""Either a prediction or an error: exactly one answer is what counts."""
EITHER = frozenset({"topic's end"})
"""The right prediction, or an error."""

ORDINARY = ("gzip", "text", "no type", "correlated", "long properties", "odd id", "no id", "same id", "twins", "large")
ODD = (*sorted(SURE_ERRORS), "huge number", "surrogate", "picture", "odd type", "topic's end")
