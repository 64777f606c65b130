"""The module's twin: desired and reported properties, their versions and limits.

Sources: edgeHub `ReportedPropertiesValidator.cs`, `TwinManager.cs`.
"""

from typing import Any

import orjson

from ...errors import TwinError

_MAX_DEPTH, _MAX_VALUE, _MAX_NAME, _MAX_DOCUMENT = 10, 4096, 1024, 32 * 1024
_MAX_INTEGER = 2**52 - 1


class Twin:
    """Desired and reported properties.

    Attributes:
        desired: what the cloud asks for, without ``$version``.
        desired_version: 1 for the initial ones, one more for each patch.
        reported: what the module reported.
        reported_version: one more for each accepted report.
    """

    def __init__(self, desired: dict[str, Any]) -> None:
        self.desired = merge({}, desired)
        self.desired_version = 1
        self.reported: dict[str, Any] = {}
        self.reported_version = 1

    def document(self) -> bytes:
        """Give the whole twin as a module gets it."""
        desired = {**self.desired, "$version": self.desired_version}
        reported = {**self.reported, "$version": self.reported_version}
        return orjson.dumps({"desired": desired, "reported": reported})

    def update_desired(self, patch: dict[str, Any]) -> bytes:
        """Merge a patch into the desired properties and give what is sent to a connected module."""
        self.desired = merge(self.desired, patch)
        self.desired_version += 1
        return orjson.dumps({**patch, "$version": self.desired_version})

    def report(self, patch: bytes) -> None:
        """Merge a patch of the module into the reported properties.

        Raises:
            TwinError: it is over a limit or no JSON object; the twin stays as it was.
        """
        try:
            document = orjson.loads(patch)
        except orjson.JSONDecodeError as error:
            raise TwinError(f"the patch is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise TwinError("the patch is not a JSON object")
        _check(document, "", 0, in_array=False)
        merged = merge(self.reported, document)
        if len(orjson.dumps(merged)) > _MAX_DOCUMENT:
            raise TwinError(f"the reported properties are over {_MAX_DOCUMENT} bytes")
        self.reported = merged
        self.reported_version += 1


def merge(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Give ``base`` with the patch merged in: objects are merged, null removes, everything else replaces."""
    merged = dict(base)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _check(value: object, name: str, depth: int, *, in_array: bool) -> None:
    """Refuse what IoT Hub would; ``depth`` counts the objects and arrays around the value."""
    if isinstance(value, dict | list) and depth > _MAX_DEPTH:
        raise TwinError(f"{name} is nested deeper than {_MAX_DEPTH}")
    if isinstance(value, dict):
        for key, child in value.items():
            _check_name(key)
            _check(child, key, depth + 1, in_array=in_array)
    elif isinstance(value, list):
        for child in value:
            _check(child, name, depth + 1, in_array=True)
    elif value is None and in_array:
        raise TwinError(f"{name} is an array with null in it")
    elif isinstance(value, str) and len(value.encode()) > _MAX_VALUE:
        raise TwinError(f"{name} has a value over {_MAX_VALUE} bytes")
    elif isinstance(value, int) and not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        raise TwinError(f"{name} has an integer out of bounds: {value}")


def _check_name(name: str) -> None:
    if len(name.encode()) > _MAX_NAME:
        raise TwinError(f"the property name {name[:10]}… is over {_MAX_NAME} bytes")
    bad = next(
        (char for char in name if char in ".$#" or char.isspace() or ord(char) < 32 or 127 <= ord(char) < 160), None
    )
    if bad is not None:
        raise TwinError(f"the property name {name!r} has the character {bad!r} in it")
