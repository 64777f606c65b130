"""Values ↔ tensors: what a request holds for an input becomes a row of an array, checked, with errors that name it."""

from array import array as c_array
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .specs import TensorSpec, is_wide

Array = npt.NDArray[np.generic]
Shape = tuple[int | None, ...]

_NOUNS = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true or false", "U": "texts"}
_NUMBERS: set[type] = {float, int, bool}
_SINGLE = int | float | str | np.generic | None
_MAX_DEPTH = 64  # dimensions that numpy has at most
_MAX_EXACT = 2**53


def stack(values: Sequence[object], spec: TensorSpec) -> Array:
    """Give the values of several requests as one array of shape ``(len(values), *spec.shape[1:])``.

    A value alone is enough for a row of one: so does scikit-learn's converter declare the columns of a data frame.

    Raises:
        RequestError: a value has the wrong type or shape; the sentence names the field.
    """
    shape = spec.shape[1:]
    if shape == (1,):
        values = [[value] if isinstance(value, _SINGLE) else value for value in values]
    if spec.kind == "f" and (numbers := _numbers(values, shape)) is not None:
        return _in_type(numbers, spec)
    if bytes in map(type, values):
        values = [_from_bytes(v, spec, shape) if isinstance(v, bytes) else v for v in values]
    array = _array(values, spec)
    if not array.size:
        array = array.reshape(len(values), *_completed(array.shape[1:], shape))
    if not _fits(array.shape[1:], shape):
        is_deeper = _fits(array.shape[2:], shape)
        advice = ' (if that is one request, write {"batch": false} into scoring.json)' if is_deeper else ""
        raise _misshapen(array.shape[1:], shape, spec.name, advice)
    return _in_type(array, spec)


def _numbers(values: Sequence[object], shape: Shape) -> Array | None:
    """Give nested lists of numbers as float64, the fast way; None if they are anything else."""
    flat: Any = values
    sizes: list[int] = []
    for _ in shape:
        if set(map(type, flat)) != {list} or len(lengths := set(map(len, flat))) != 1:
            return None
        sizes += lengths
        flat = list(chain.from_iterable(flat))
    if not shape and not set(map(type, flat)) <= _NUMBERS:
        return None
    try:
        numbers = np.frombuffer(c_array("d", flat)) if flat else np.zeros(0)
    except (TypeError, OverflowError):
        return None
    return numbers.reshape(len(values), *sizes) if _fits(tuple(sizes), shape) else None


def whole(value: object, spec: TensorSpec) -> Array:
    """Give the value of one request as the whole tensor; a missing leading 1 is added.

    Raises:
        RequestError: it has the wrong type or shape; the sentence names the field.
    """
    if isinstance(value, bytes):
        value = _from_bytes(value, spec, spec.shape)
    array = _array(value, spec)
    if spec.shape:  # else it is a single value, or the model does not say: ONNX Runtime knows
        array = array.reshape(_completed(array.shape, spec.shape))
        if not _fits(array.shape, spec.shape):
            raise _misshapen(array.shape, spec.shape, spec.name)
    return _in_type(array, spec)


def shape_of(value: object) -> tuple[int, ...]:
    """Give the shape of nested lists as their first entries have it."""
    shape: list[int] = []
    while isinstance(value, list | tuple) and len(shape) < _MAX_DEPTH:
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return (*shape, len(value)) if isinstance(value, bytes) else (*shape, *getattr(value, "shape", ()))


def _misshapen(shape: tuple[int, ...], expected: Shape, name: str, advice: str = "") -> RequestError:
    wanted = "×".join("any" if e is None else str(e) for e in expected) or "a single value"
    given = "×".join(map(str, shape)) or "a single value"
    if shape and len(shape) < len(expected) and _fits(shape, expected[-len(shape) :]):
        advice = f" ({in_one(name)})"
    return RequestError(f"the field {name} has the shape {given}: expected {wanted}{advice}")


def in_one(name: str) -> str:
    """Say how an array of arrays is sent that is one request: by itself it is rows, each of them a request."""
    field = f'send {{"{name}": [[…], …]}}, or ' if name else ""
    return f"the rows of an array are requests of their own: if all are one, {field}set SCORING_ROWS=message"


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(e is None or e == s for s, e in zip(shape, expected, strict=True))


def _completed(shape: tuple[int, ...], expected: Shape) -> tuple[int, ...]:
    """Complete a shape by what a message may leave out: dimensions of 1 in front, and all behind an empty one."""
    missing = len(expected) - len(shape)
    if 0 in shape and _fits(filled := (*shape, *(size or 0 for size in expected[len(shape) :])), expected):
        return filled
    if missing > 0 and (missing == 1 or not shape) and all(size in (1, None) for size in expected[:missing]):
        return (1,) * missing + shape
    return shape


def _array(value: object, spec: TensorSpec) -> Array:
    """Give the value as an array in the type that numpy finds for it; texts as objects.

    numpy would make the neighbours of a text into texts as long as the longest one: gigabytes from a small body.
    """
    as_objects = spec.kind == "U" or _has_text(value)
    try:
        array = np.array(value, dtype=object if as_objects else None)
        if spec.kind in "iu" and array.dtype.kind == "f" and np.any(np.abs(array) >= _MAX_EXACT):
            return _exact(np.array(value, dtype=object), spec)
    except ValueError:
        raise RequestError(f"the field {spec.name} is ragged: its rows differ in length") from None
    return array


def _exact(numbers: npt.NDArray[np.object_], spec: TensorSpec) -> Array:
    """Give whole numbers as they are, where numpy made them floats: beside a float, and from 2**63 on."""
    try:
        exact = numbers.astype(np.uint64 if spec.kind == "u" else np.int64)
    except (OverflowError, ValueError):
        raise _beyond(spec) from None
    if not np.array_equal(exact, numbers):
        raise _beyond(spec)
    if rounded := next((each for each in numbers.flat if isinstance(each, float) and abs(each) >= _MAX_EXACT), None):
        advice = "write whole numbers from 2**53 on without a point and an exponent"
        raise RequestError(f"the field {spec.name} holds {rounded}, which may have been rounded: {advice}")
    return exact


def _has_text(value: object) -> bool:
    level: list[Any] = value if isinstance(value, list) else [value]
    for _ in range(_MAX_DEPTH):
        kinds = set(map(type, level))
        if str in kinds or bytes in kinds:
            return True
        if list not in kinds:
            return False
        level = list(chain.from_iterable(level if len(kinds) == 1 else (v for v in level if type(v) is list)))
    return True


def _from_bytes(data: bytes, spec: TensorSpec, shape: Shape) -> Array | bytes:
    """Give bytes as the elements of the tensor, in their type and little-endian; one free dimension is worked out."""
    if spec.kind == "U" or is_wide(spec.dtype):
        return data
    if len(data) % spec.dtype.itemsize:
        each = f"{spec.dtype.name} takes {spec.dtype.itemsize} each"
        raise RequestError(f"the field {spec.name} has {len(data)} bytes: {each}")
    array = np.frombuffer(data, spec.dtype)
    if spec.kind == "b" and data.strip(b"\0\1"):
        raise RequestError(f"the field {spec.name} has a byte that is neither 0 nor 1: expected {_NOUNS['b']}")
    try:
        return array.reshape([-1 if size is None else size for size in shape])
    except ValueError:
        return array


def _in_type(array: Array, spec: TensorSpec) -> Array:
    if array.dtype == spec.dtype or (spec.kind == "U" and all(isinstance(text, str) for text in array.flat)):
        return array
    return array.astype(spec.dtype) if array.size == 0 else _cast(array, spec)


def _cast(array: Array, spec: TensorSpec) -> Array:
    """Give the array in the model's type if no value changes by it beyond rounding to the type's precision."""
    kind, wanted = array.dtype.kind, spec.kind
    if kind == "O" and wanted in "iuf" and all(isinstance(number, int | float) for number in array.flat):
        raise _beyond(spec)
    if kind not in "iufb" or wanted == "U" or (wanted == "b" and kind != "b"):
        raise RequestError(f"the field {spec.name} holds {_describe(array, wanted)}: expected {_NOUNS[wanted]}")
    with np.errstate(over="ignore", invalid="ignore"):
        cast: Array = array.astype(spec.dtype)
    if wanted == "f" and not is_wide(spec.dtype) and np.isfinite(cast).all():
        return cast
    if wanted == "f":
        same = np.array_equal(np.isinf(cast), np.isinf(array))
        same = same and (not is_wide(spec.dtype) or np.array_equal(np.isnan(cast), np.isnan(array)))
    else:
        same = np.array_equal(cast.astype(np.int8) if is_wide(spec.dtype) else cast, array)
    if not same:
        raise _beyond(spec)
    return cast


def _beyond(spec: TensorSpec) -> RequestError:
    return RequestError(f"the field {spec.name} holds a number that is no {spec.dtype.name}")


def _describe(array: Array, wanted: str) -> str:
    if array.dtype.kind != "O":
        return _NOUNS.get(array.dtype.kind, str(array.dtype))
    right = str if wanted == "U" else int | float
    odd = next((v for v in array.flat if not isinstance(v, right)), array.flat[0])
    if isinstance(odd, str):
        return "texts"
    return "null" if odd is None else f"a value of type {type(odd).__name__}"
