"""The module's twin: desired and reported properties and their versions (edgeHub `TwinManager.cs`)."""

from typing import Any

import orjson

from ...errors import TwinError
from ...packaging.manifest.twin_limits import broken_limits


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
        merged = merge(self.reported, document)
        for place, reason in broken_limits(document, whole=merged):
            raise TwinError(f"{f'reported property {place}' if place else 'the reported properties'} {reason}")
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
