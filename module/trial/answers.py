"""What messages were answered with, looked at: are two answers alike, what is suspect in one, how is it told."""

import math
from contextlib import suppress

import orjson

from scoring.predictions import SUSPECT

from ..routes import Answers

_CLOSE, _TINY = 1e-3, 1e-6
"""How much two numbers may differ, relative and absolute: rows share a call of float32, or of a GPU's half floats."""

_SHOWN = 200
"""Bytes of each end of a body that is too long to be shown whole."""


def alike(one: object, other: object) -> bool:
    """Say whether two values are equal but for the last digits of numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_TINY)
    return type(one) is type(other) and one == other


def differ(one: Answers, other: Answers) -> bool:
    """Say whether what leaves for a message is more than a few last digits apart from what left before."""
    if one.messages == other.messages:
        return False
    first, second = ([[each.output, each.properties, _value(each.body)] for each in a.messages] for a in (one, other))
    try:
        return not alike(first, second)
    except RecursionError:  # nested as deep as JSON may be
        return [each.body for each in one.messages] != [each.body for each in other.messages]


def _value(body: bytes) -> object:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    return body


def brief(answers: Answers) -> str:
    """Give the answer to a message in a few words."""
    return str(
        answers.error or ", ".join(each.body[:60].decode(errors="replace") for each in answers.messages) or "nothing"
    )


def is_suspect(answers: Answers) -> bool:
    """Say whether a prediction looks like an exception that the script caught."""
    return any(SUSPECT in each.properties for each in answers.messages)


def holds_null(answers: Answers) -> bool:
    """Say whether JSON that leaves has a null in it."""

    def holds(value: object) -> bool:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return value is None or any(map(holds, inner))

    with suppress(RecursionError):  # nested as deep as JSON may be
        return any(b"null" in each.body and holds(_value(each.body)) for each in answers.messages)
    return False


def cut(body: bytes, content_type: str) -> str:
    """Give a body as text that is not too long: both its ends, since scripts add what they found behind a message."""
    if content_type.startswith(("image/", "audio/", "video/", "application/octet", "application/msgpack")):
        return f"{len(body)} bytes of {content_type}"
    head, tail = (part.decode(errors="replace") for part in (body[:_SHOWN], body[-_SHOWN:]))
    return (
        body.decode(errors="replace").rstrip()
        if len(body) <= 2 * _SHOWN
        else f"{head} … {len(body)} bytes … {tail}".rstrip()
    )
