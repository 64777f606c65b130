"""Several requests of a classic script as one, and its result as several; merge_policy.py says if that is harmless.

A classic script's JSON body often holds rows already: ``[[…], […]]``, ``{"data": [[…]]}``. Requests whose rows have one
shape and whose other fields are equal can be one request with all the rows, if the script treats rows one by one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

LONG = 1 << 16
"""Characters of a text that is not merged: what it costs to call run() for it alone is no great part of it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What two requests have to share to be merged.

    Attributes:
        path: the fields that lead to the rows; empty if the body itself is the array.
        rows: how many rows a request has.
        row: what one row looks like, its keys in their order: a data frame has its columns in it.
        rest: the body without its rows, as JSON.
    """

    path: Path
    rows: int
    row: str
    rest: str


@dataclass(frozen=True, slots=True)
class Mergeable:
    """A request that holds rows: a text for a classic script, an object of arguments for one with a schema.

    Attributes:
        alone: the exact form of what it gives in a call of its own; None where that is not known yet.
    """

    shape: Shape
    document: object
    rows: list[object]
    is_text: bool
    alone: bytes | None = None


def mergeable(request: object) -> Mergeable | None:
    """Find the rows of a request: the one array of arrays or objects in it, at most two fields deep; None if none."""
    is_text = isinstance(request, str)
    if isinstance(request, str) and len(request) > LONG:
        return None
    try:
        document = json.loads(request) if isinstance(request, str) else request
        found = list(_arrays(document, (), 2))
        if len(found) != 1:
            return None
        path, rows = found[0]
        row = _look(rows[0])
        if any(_look(other) != row for other in rows[1:]):
            return None
        rest = json.dumps(_with_rows(document, path, []))
    except (ValueError, TypeError, RecursionError):  # TypeError: arguments that are no JSON
        return None
    return Mergeable(Shape(path, len(rows), row, rest), document, rows, is_text)


def merge(requests: Sequence[Mergeable]) -> object:
    """Give one request with the rows of all, which have one shape."""
    rows = [row for request in requests for row in request.rows]
    document = _with_rows(requests[0].document, requests[0].shape.path, rows)
    return json.dumps(document) if requests[0].is_text else document


def split(result: Any, parts: int, rows: int) -> list[object] | None:
    """Give the result of a merged call as one result a part, each of ``rows`` rows; None if it has no such form.

    A list with an entry a row is cut; of an object every list with an entry a row is, and what is no list goes to all.
    """
    if isinstance(result, str):
        try:
            inner = split(json.loads(result), parts, rows)
        except ValueError:
            return None
        return None if inner is None else [json.dumps(each) for each in inner]
    if _is_list(result):
        starts = range(0, parts * rows, rows)
        return [result[start : start + rows] for start in starts] if len(result) == parts * rows else None
    if not isinstance(result, dict):
        return None
    cut = {key: split(value, parts, rows) for key, value in result.items() if _is_list(value)}
    if not cut or any(pieces is None for pieces in cut.values()):
        return None
    return [{key: (cut[key] or [])[part] if key in cut else result[key] for key in result} for part in range(parts)]


def _is_list(value: object) -> bool:
    """Whether a value is a list or a numpy array with a first dimension; slices of an array stay arrays."""
    return isinstance(value, list) or bool(getattr(value, "ndim", 0))


def _arrays(value: object, path: Path, depth: int) -> list[tuple[Path, list[object]]]:
    if isinstance(value, list):
        return [(path, value)] if value and all(isinstance(row, list | dict) for row in value) else []
    if isinstance(value, dict) and depth:
        return [found for key, inner in value.items() for found in _arrays(inner, (*path, key), depth - 1)]
    return []


def _look(row: object) -> str:
    """Give the form of a row: its keys as they come or its length, and the kinds of its values."""
    if isinstance(row, dict):
        return "{" + ",".join(f"{key!r}:{_look(value)}" for key, value in row.items()) + "}"
    if isinstance(row, list):
        return "[" + ",".join(map(_look, row)) + "]"
    return "number" if isinstance(row, int | float) and not isinstance(row, bool) else type(row).__name__


def _with_rows(value: object, path: Path, rows: list[object]) -> object:
    if not path or not isinstance(value, dict):
        return rows
    return {**value, path[0]: _with_rows(value[path[0]], path[1:], rows)}
