"""Rows of messages → what an MLflow model takes: a data frame with a signature's columns and types, or arrays."""

import base64
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..errors import RequestError, RunError
from ..onnx.model_inputs import there
from ..onnx.tensors import in_one
from .mlflow_folder import Field

_ENVELOPES = ("input_data", "dataframe_split", "dataframe_records", "instances", "inputs")
"""In one of these the servers of Azure ML and MLflow take several rows at once."""

_NUMBERS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}
_ZEROS = {"string": "", "boolean": False, "datetime": "1970-01-01", "binary": ""}


def by_rows(
    score: Callable[[list[object]], Iterable[object]], names: Collection[str], requests: Sequence[object]
) -> list[object]:
    """Score the rows of requests in one call, and give each request its prediction, or a list of those of its rows.

    Args:
        score: takes rows, gives a prediction for each.
        names: fields that a row may have, by which it is told from a body of those servers.
        requests: at least one.

    Raises:
        RequestError: what a row or a body is refused for.
        RunError: the model gives another number of rows.
    """
    held = [_rows_in(names, request) for request in requests]
    rows = [row for request, several in zip(requests, held, strict=True) for row in several or [request]]
    answers = list(score(rows))
    if len(answers) != len(rows):
        raise RunError(f"the model gave {len(answers)} predictions for {len(rows)} rows")
    left = iter(answers)
    return [next(left) if several is None else list(islice(left, len(several))) for several in held]


def _rows_in(names: Collection[str], request: object) -> list[object] | None:
    """Give the rows in a body of those servers; None if the request is a row by itself."""
    if not isinstance(request, dict) or any(name in request for name in names):
        return None
    held = next((request[name] for name in _ENVELOPES if name in request), request)
    rows = held.get("data") if isinstance(held, dict) and held.keys() <= {"columns", "index", "data"} else held
    if not isinstance(rows, list):
        return None
    if not rows:
        raise RequestError("there is no row in the body")
    columns = held.get("columns") if isinstance(held, dict) else None
    return rows if columns is None else [named(columns, row) for row in rows]


def named(names: Sequence[str], row: object) -> dict[Any, Any]:
    """Give a row by name.

    Raises:
        RequestError: it is neither an object nor an array with a value for each name.
    """
    if isinstance(row, dict):
        return row
    if not isinstance(row, list) or len(row) != len(names):
        what = f"an array of {len(row)}" if isinstance(row, list) else f"a value of type {type(row).__name__}"
        raise RequestError(f"expected an object, or an array of {len(names)} ({', '.join(names)[:200]}), got {what}")
    return dict(zip(names, row, strict=True))


def fed(fields: Sequence[Field], rows: list[object]) -> Any:
    """Give what a model with that signature takes for rows.

    Raises:
        RequestError: a row does not fit; the sentence names the field.
    """
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - only such a model needs it

    if not fields:
        return pd.DataFrame(rows) if all(isinstance(row, dict) for row in rows) else np.array(rows)
    if not fields[0].name:
        return _array(fields[0], rows)
    names = [field.name for field in fields]
    by_name = [named(names, row) for row in rows]
    for field in (each for each in fields if each.required):
        for row in by_name:
            if field.name not in row:
                raise RequestError(f"the field {field.name} is missing (there: {there(row)})")
    columns = {name: [row.get(name) for row in by_name] for name in names}
    arrays = {field.name: (_array if field.tensor else _column)(field, columns[field.name]) for field in fields}
    return arrays if fields[0].tensor else pd.DataFrame(arrays)


def describe(field: Field) -> str:
    """Say in words what a row holds for a field."""
    if field.tensor is None:
        return f"field {field.name!r}: {field.type}{'' if field.required else ', may be missing'}"
    name = f"field {field.name!r}" if field.name else "a row"
    return f"{name}: array {_size(field.tensor.shape)} of {field.tensor.dtype}"


def zeros(fields: Sequence[Field]) -> object:
    """Give a row of zeros, false and empty texts; one that is an array of arrays as MLflow's server takes it."""
    values: dict[str, object] = {}
    for field in fields:
        value: object = _ZEROS.get(field.type, 0)
        for size in reversed(field.tensor.shape[1:] if field.tensor else ()):
            value = [value] * max(size, 1)
        values[field.name] = value
    row = values.get("", values)
    return {"inputs": [row]} if isinstance(row, list) and row and isinstance(row[0], list) else row


def _column(field: Field, values: Sequence[Any]) -> Any:
    """Give a column's values in its type; numpy alone would cut 1.5 to 1 and read texts as numbers."""
    kind = _NUMBERS.get(field.type)
    try:
        if kind is not None:
            for value in values:
                if not _fits(kind, value):
                    raise ValueError(f"{value!r:.40}")
            return np.array(values, kind)
        if field.type == "datetime":
            import pandas as pd  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415

            return pd.to_datetime(values, format="ISO8601", utc=True).tz_convert(None)
        held = np.empty(len(values), object)
        held[:] = [base64.b64decode(value, validate=True) for value in values] if field.type == "binary" else values
        return held
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(f"the field {field.name} holds no {field.type}: {error}") from None


def _fits(kind: str, value: object) -> bool:
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if kind.startswith("float"):
        return value is None or isinstance(value, int | float)
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _array(field: Field, values: Sequence[object]) -> Any:
    """Give the values as one array whose first dimension is the rows."""
    assert field.tensor is not None  # noqa: S101 - asked only of tensors
    what = f"the field {field.name}" if field.name else "the row"
    try:
        array = np.array(values, field.tensor.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(f"{what} holds no array of {field.tensor.dtype}: {error}") from None
    wanted = field.tensor.shape
    if len(array.shape) != len(wanted) or not all(map(_goes, wanted[1:], array.shape[1:])):
        inner = wanted[len(wanted) - len(array.shape) + 1 :]
        is_part = 1 < len(array.shape) < len(wanted) and all(map(_goes, inner, array.shape[1:]))
        advice = f" ({in_one(field.name)})" if is_part else ""
        raise RequestError(f"{what} is {_size(array.shape)}, not {_size(wanted)}{advice}")
    return array


def _goes(wanted: int, size: int) -> bool:
    return wanted in (-1, size)


def _size(shape: Sequence[int]) -> str:
    return "×".join("any" if size < 0 else str(size) for size in shape[1:]) or "of a value"
