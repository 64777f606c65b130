"""What IoT Hub takes as the desired or reported properties of a twin (edgeHub `ReportedPropertiesValidator.cs`)."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import orjson

from ...errors import SettingsError

_MAX_DEPTH, _MAX_TEXT, _MAX_NAME, _MAX_TWIN = 10, 4096, 1024, 32 * 1024
_MAX_INTEGER = 2**52 - 1


def check_limits(module: str, desired: dict[str, Any]) -> None:
    """Check desired properties of a module against IoT Hub's limits.

    Raises:
        SettingsError: IoT Hub would not take them.
    """
    for place, reason in broken_limits(desired):
        what = f"desired property {place}" if place else "the desired properties"
        raise SettingsError(f"{what} of module {module} {reason}")


def broken_limits(properties: dict[str, Any], whole: dict[str, Any] | None = None) -> Iterator[tuple[str, str]]:
    """Give place and reason of all that IoT Hub would refuse; the place is empty if it is the size of everything.

    Args:
        properties: desired or reported properties, or a patch of them.
        whole: what a patch makes of the properties; only its size is looked at, as edgeHub does, which counts the JSON.
            Without it properties are counted as IoT Hub's documentation says.
    """
    yield from _of_value(properties, "", 0, in_array=False)
    if (_size(properties) if whole is None else len(orjson.dumps(whole))) > _MAX_TWIN:
        yield "", "are larger than the 32 KB of a twin"


def _size(value: object) -> int:
    """Give the bytes that IoT Hub counts: names and texts as UTF-8, 8 for a number and 4 for true or false."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + _size(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value.encode()) if isinstance(value, str) else 4 if isinstance(value, bool) else 8


def _of_value(value: object, place: str, depth: int, *, in_array: bool) -> Iterator[tuple[str, str]]:
    """Look at a value and all that is in it; ``depth`` counts the objects and arrays around it."""
    if isinstance(value, dict | list) and depth > _MAX_DEPTH:
        yield place, f"is nested deeper than {_MAX_DEPTH} levels"
    elif isinstance(value, dict):
        for name, inner in value.items():
            shown = name if name.isprintable() and name else repr(name)
            below = f"{place}.{shown}" if place else shown
            if not name:
                yield below, "has no name"
            if any(char in ".$#" or char.isspace() or unicodedata.category(char) == "Cc" for char in name):
                yield below, "has a '.', '$', '#' or space in its name"
            if len(name.encode()) > _MAX_NAME:
                yield f"{below[:100]}…", "has a name longer than 1 KB"
            yield from _of_value(inner, below, depth + 1, in_array=in_array)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_value(inner, place, depth + 1, in_array=True)
    elif value is None and in_array:
        yield place, "is null inside an array"
    elif isinstance(value, str) and len(value.encode()) > _MAX_TEXT:
        yield place, "is longer than 4 KB"
    elif isinstance(value, int) and not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        yield place, f"is an integer out of bounds: {value}"
