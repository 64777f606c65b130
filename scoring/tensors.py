"""Values ↔ tensors: what a request holds for an input becomes a row of an array, checked, with errors that name it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import ModelError, RequestError

Array = npt.NDArray[np.generic]

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}
_SAID = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true or false", "U": "texts"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model.

    Attributes:
        name: as the model has it.
        dtype: of the array.
        shape: one entry per dimension, None where any size goes.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...]

    @property
    def has_batch_axis(self) -> bool:
        """Whether the first dimension is free, so that rows can be stacked along it."""
        return bool(self.shape) and self.shape[0] is None


def spec_of(name: str, onnx_type: str, shape: Sequence[int | str | None]) -> TensorSpec:
    """Describe an input or output from what a session says of it.

    Raises:
        ModelError: its type is no tensor that this runtime can fill.
    """
    if onnx_type not in _DTYPES:
        raise ModelError(f"the model's {name} has the type {onnx_type}, which has no place in a message")
    free = tuple(size if isinstance(size, int) and size > 0 else None for size in shape)
    return TensorSpec(name, np.dtype(_DTYPES[onnx_type]), free)


def value_of(request: object, spec: TensorSpec, *, only_input: bool) -> object:
    """Give what a request holds for an input: the field of its name; with one input the bare value too.

    Raises:
        RequestError: the field is missing; the sentence names it and those that are there.
    """
    if isinstance(request, dict):
        if spec.name in request:
            return request[spec.name]
        there = ", ".join(sorted(str(name)[:40] for name in request)[:8]) or "none"
        raise RequestError(f"the field {spec.name} is missing (there: {there})")
    if only_input:
        return request
    raise RequestError(f"the field {spec.name} is missing: expected an object with the model's inputs as fields")


def stack(values: Sequence[object], spec: TensorSpec) -> Array:
    """Give the values of several requests as one array of shape ``(len(values), *spec.shape[1:])``.

    Raises:
        RequestError: a value has the wrong type or shape; the sentence names the field.
    """
    return _typed(values, spec, spec.shape[1:], batch=len(values))


def whole(value: object, spec: TensorSpec) -> Array:
    """Give the value of one request as the whole tensor; a missing leading 1 is added.

    Raises:
        RequestError: it has the wrong type or shape; the sentence names the field.
    """
    array = _typed(value, spec, None, batch=None)
    if array.ndim == len(spec.shape) - 1 and spec.shape[0] in (1, None):
        array = array[np.newaxis]
    _check_shape(array.shape, spec.shape, spec.name)
    return array


def _typed(value: object, spec: TensorSpec, shape: tuple[int | None, ...] | None, batch: int | None) -> Array:
    texts = spec.dtype.kind == "U"
    try:
        array = np.array(value, dtype=object if texts else None)  # numpy would make texts of a text's neighbours
    except ValueError:
        raise RequestError(f"the field {spec.name} is ragged: its rows differ in length") from None
    if shape is not None:
        _check_shape(array.shape[1:] if batch else array.shape, shape, spec.name)
    if array.dtype == spec.dtype or (texts and all(isinstance(text, str) for text in array.flat)):
        return array
    if array.size == 0:
        return array.astype(spec.dtype)
    return _cast(array, spec)


def _cast(array: Array, spec: TensorSpec) -> Array:
    """Give the array in the model's type if no value changes by it beyond rounding to the type's precision."""
    kind, wanted = array.dtype.kind, spec.dtype.kind
    if kind not in "iufb" or wanted == "U" or (wanted == "b" and kind != "b"):
        raise RequestError(f"the field {spec.name} holds {_said(array, wanted)}: expected {_SAID[wanted]}")
    with np.errstate(over="ignore", invalid="ignore"):
        cast: Array = array.astype(spec.dtype)
    if wanted == "f":
        same = np.array_equal(np.isinf(cast), np.isinf(array))
    else:
        # From 2**53 on floats are rounded already: beside a float, a whole number would not be itself any more.
        same = np.array_equal(cast, array) and not (kind == "f" and np.any(np.abs(array) >= 2**53))
    if not same:
        raise RequestError(f"the field {spec.name} holds a number that is no {spec.dtype.name}")
    return cast


def _said(array: Array, wanted: str) -> str:
    if array.dtype.kind != "O":
        return _SAID.get(array.dtype.kind, str(array.dtype))
    right = str if wanted == "U" else int | float
    odd = next((v for v in array.flat if not isinstance(v, right)), array.flat[0])
    return "null" if odd is None else f"a value of type {type(odd).__name__}"


def _check_shape(shape: tuple[int, ...], expected: tuple[int | None, ...], name: str) -> None:
    fits = len(shape) == len(expected) and all(e is None or e == s for s, e in zip(shape, expected, strict=True))
    if not fits:
        wanted = "×".join("any" if e is None else str(e) for e in expected) or "a single value"
        given = "×".join(map(str, shape)) or "a single value"
        raise RequestError(f"the field {name} has the shape {given}: expected {wanted}")
