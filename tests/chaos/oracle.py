"""Knows the right answer to every input, worked out here in plain Python and never with the module's code."""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from .bodies import EITHER, SURE_ERRORS, UNSURE, Input

ERROR = None
"""In the place of a body: an errors message, whose sentence nobody can foretell."""


class Answer(NamedTuple):
    """One message that has to leave: its output, and its JSON value as canonical text (ERROR: an errors message)."""

    output: str
    body: str | None


Alternatives = list[tuple[Answer, ...]]
"""Any one of these is right; an empty tuple is no message at all. An empty list: whatever it is, but one answer."""

_ERRORS: tuple[Answer, ...] = (Answer("errors", ERROR),)

HARMLESS = frozenset({"mutate"})
"""Deeds that end in a good prediction."""
UNSURE_DEEDS = frozenset({"decimal"})
"""A prediction or an error, as the module likes: exactly one answer."""
SWALLOWED = "[Errno 2] No such file or directory: 'model.pkl of nobody'"
"""What the deed ``swallowed`` returns: a caught error, which leaves as a text and is marked (docs/score-py.md)."""
DEADLY = {"abort": {-6}, "hang": {1}, "regex": {1}, "_exit": {7}}
"""Deeds that may end the process, and the exit codes that this may have."""


def canonical(value: object) -> str:
    """Give the one text of a JSON value; the order of fields counts."""
    return json.dumps(value, ensure_ascii=True, allow_nan=True)


def answers(script: str, given: Input) -> Alternatives:
    """Give what may leave for an input."""
    deed = given.kind.removeprefix("do ") if given.kind.startswith("do ") else ""
    if deed == "swallowed":
        return [(_sent(SWALLOWED),)]
    if deed in UNSURE_DEEDS or given.kind in UNSURE:
        return []
    if deed and deed not in HARMLESS:
        return [_ERRORS]
    if given.kind in SURE_ERRORS:
        return [_ERRORS]
    if given.kind == "rows":
        assert isinstance(given.value, list)
        right = (_sent([_joined(script, row) for row in given.value]),)
        return [right]
    right = SCRIPTS[script](given.value)
    return [right, _ERRORS] if given.kind in EITHER else [right]


def message_id(given: Input, output: str, number: int) -> str:
    """Give the id that an answer to a message with an id of its own must have (README: made of the input's)."""
    name = f"{given.message_id}.{output}.{number}"
    return name if len(name) <= 128 else hashlib.sha256(name.encode()).hexdigest()


def _sent(value: object, output: str = "amlOutput") -> Answer:
    return Answer(output, canonical(value))


def _joined(script: str, row: Any) -> object:
    (answer,) = SCRIPTS[script](row)
    assert answer.body is not None
    value = json.loads(answer.body)
    return value[0] if script == "classic" else value


def _classic(reading: Any) -> tuple[Answer, ...]:
    values = reading["values"]
    crc = zlib.crc32(reading["text"].encode())
    return (_sent([{"n": reading["n"], "sum": sum(values), "least": min(values), "crc": crc}]),)


def _global_dict(reading: Any) -> tuple[Answer, ...]:
    total = sum(reading["values"])
    return (_sent({"n": reading["n"], "sum": total, "history": [reading["n"], total]}),)


def _batched(reading: Any) -> tuple[Answer, ...]:
    return (_sent({"n": reading["n"], "sum": sum(reading["values"]), "size": len(reading["values"])}),)


def _kept_array(reading: Any) -> tuple[Answer, ...]:
    values = reading["values"]
    return (_sent([float(reading["n"]), float(sum(values)), float(max(values))]),)


def _filtering(reading: Any) -> tuple[Answer, ...]:
    total = sum(reading["values"])
    cases: list[tuple[Answer, ...]] = [
        (),
        (_sent({"alert": total}, "alerts"),),
        (_sent({"alert": total}, "alerts"), _sent({"n": reading["n"]})),
        (_sent({"n": reading["n"], "three": True}), _sent({"second": total})),
        (_sent({"n": reading["n"], "sum": total}),),
    ]
    return cases[total % 5]


def _mixed(reading: Any) -> tuple[Answer, ...]:
    total = sum(reading["values"])
    cases: list[tuple[Answer, ...]] = [
        (_sent(total, "alerts"), _sent({"a": 2})),
        (_sent({"n": reading["n"]}), _sent([total], "alerts")),
        (_sent({"n": reading["n"]}),),
        _ERRORS,
    ]
    return cases[total % 4]


def _plain(reading: Any) -> tuple[Answer, ...]:
    return (_sent({"n": reading["n"], "sum": sum(reading["values"])}),)


def _onnx(reading: Any) -> tuple[Answer, ...]:
    """The sum of x and a half, in single precision; the numbers are small enough to be exact."""
    total = struct.unpack("f", struct.pack("f", sum(reading["x"]) + 0.5))[0]
    return (_sent({"y": total}),)


SCRIPTS: dict[str, Callable[[Any], tuple[Answer, ...]]] = {
    "classic": _classic,
    "global_dict": _global_dict,
    "batched": _batched,
    "kept_array": _kept_array,
    "filtering": _filtering,
    "mixed": _mixed,
    "slow": _plain,
    "poison": _plain,
    "poison_classic": _plain,
    "onnx": _onnx,
}
