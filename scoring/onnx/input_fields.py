"""Message fields → the value of one input: found by path, a default where missing, scaled, converted."""

import re
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ..errors import RequestError
from .model_inputs import there

MISSING: Final = object()
"""What lookup() gives where a path leads nowhere."""

_MAX_DEPTH = 64
_WHOLE = re.compile(r"\s*[-+]?\d{1,40}\s*", re.ASCII)


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message field of ``scoring.json``; a text alone stands for a Field of that name.

    Attributes:
        field: its path: names and list positions joined by dots, ``machine.axes.0``; a field of that very name first.
        default: taken where it is missing or null; without one the request is refused.
        scale, offset: ``value × scale + offset``, for a number and for each one in nested lists.
        dtype: what it is made, after scaling, where the message has it otherwise: ``float`` reads texts and takes true
            as 1, ``int`` rounds, ``bool`` is what is not 0, ``str`` writes it down. By default nothing is converted.
    """

    field: str
    default: object = msgspec.UNSET
    scale: int | float = 1
    offset: int | float = 0
    dtype: Literal["float", "int", "bool", "str"] | None = None


def lookup(message: object, path: str) -> object:
    """Give what a message holds at a path; MISSING if nothing."""
    if isinstance(message, dict) and path in message:
        return message[path]
    for part in path.split("."):
        if isinstance(message, dict) and part in message:
            message = message[part]
        elif isinstance(message, list) and part.isdecimal() and int(part) < len(message):
            message = message[int(part)]
        else:
            return MISSING
    return message


def field_value(request: object, field: Field) -> object:
    """Give a field's value, scaled and converted.

    Raises:
        RequestError: it is missing and has no default, or cannot be converted; the sentence names it.
    """
    value = lookup(request, field.field)
    if value is MISSING or value is None:
        if field.default is not msgspec.UNSET:
            return field.default
        raise missing(request, field.field, value)
    if field.dtype is None and field.scale == 1 and field.offset == 0:
        return value
    try:
        return _each(value, lambda number: _converted(number, field), 0)
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"the field {field.field} holds no {field.dtype or 'number'}: {value!r:.40}") from None


def missing(request: object, path: str, value: object) -> RequestError:
    """Give the error of a field that holds nothing: null, or MISSING."""
    reason = "is null: send a value, or give it a default in scoring.json"
    if value is MISSING:
        names = f" (there: {there(request)})" if isinstance(request, dict) else ": expected an object"
        reason = f"is missing{names}"
    return RequestError(f"the field {path} {reason}")


def _each(value: object, convert: Callable[[object], object], depth: int) -> object:
    if not isinstance(value, list):
        return convert(value)
    if depth == _MAX_DEPTH:
        raise ValueError("nested too deep")
    return [_each(one, convert, depth + 1) for one in value]


def _converted(value: object, field: Field) -> object:
    if field.dtype == "str":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, str) and field.dtype is not None:
        if "_" in value:
            raise ValueError("Python reads 1_0 as 10")
        is_whole = field.dtype == "int" and _WHOLE.fullmatch(value)
        value = int(value) if is_whole else float(value)  # a float has 53 bits, a whole number may have more
    if not isinstance(value, int | float):
        raise TypeError(f"a value of type {type(value).__name__}")
    if field.scale != 1 or field.offset != 0:
        value = value * field.scale + field.offset
    if field.dtype == "int":
        return round(value)
    return {"float": float, "bool": bool}[field.dtype](value) if field.dtype else value
