"""Arrays of types that numpy does not have (bfloat16, float8, int4…) ↔ ONNX Runtime's values, by their bytes.

ONNX Runtime takes and gives them in Python as untyped memory only; types of less than a byte are packed there, the
first element in the lowest bits.
"""

import ctypes
from math import prod

import numpy as np
import onnxruntime

from .specs import WIDE, is_wide
from .tensors import Array

_TYPES = {name: (number, bits) for name, number, bits in WIDE.values()}


def to_ort(array: Array) -> onnxruntime.OrtValue:
    """Give an array as ONNX Runtime's value."""
    if not is_wide(array.dtype):
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    number, bits = _TYPES[array.dtype.name]
    octets = np.frombuffer(array.tobytes(), np.uint8)
    if bits < 8:
        each = np.unpackbits(octets[:, np.newaxis], axis=1, count=bits, bitorder="little")
        octets = np.packbits(each, bitorder="little")
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(array.shape, number)
    ctypes.memmove(value.data_ptr(), octets.tobytes(), octets.size)
    return value


def from_ort(value: onnxruntime.OrtValue, dtype: np.dtype[np.generic]) -> Array:
    """Give ONNX Runtime's value as an array; of a type that numpy lacks, which no message holds, in a wider one."""
    if not is_wide(dtype):
        return np.asarray(value.numpy())
    octets = np.frombuffer(ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()), np.uint8)
    _, bits = _TYPES[dtype.name]
    if bits < 8:
        each = np.unpackbits(octets, bitorder="little").reshape(-1, bits)[: prod(value.shape())]
        octets = np.packbits(each, axis=1, bitorder="little").reshape(-1)
    wider = np.int8 if dtype.name.startswith(("int", "uint")) else np.float32
    return octets.view(dtype).reshape(value.shape()).astype(wider)
