"""Arrays of types that numpy does not have (bfloat16, float8, int4…) ↔ ONNX Runtime's values, by their bytes.

ONNX Runtime takes and gives them in Python as untyped memory only; types of less than a byte are packed there, the
first element in the lowest bits.
"""

import ctypes

import numpy as np
import numpy.typing as npt
import onnxruntime

from .specs import is_wide
from .tensors import Array

_TYPES = {
    "bfloat16": 16,
    "float8_e4m3fn": 17,
    "float8_e4m3fnuz": 18,
    "float8_e5m2": 19,
    "float8_e5m2fnuz": 20,
    "uint4": 21,
    "int4": 22,
    "float4_e2m1fn": 23,
    "float8_e8m0fnu": 24,
    "uint2": 25,
    "int2": 26,
}
"""TensorProto.DataType of onnx.proto, by numpy's names."""

_BITS = {"uint4": 4, "int4": 4, "float4_e2m1fn": 4, "uint2": 2, "int2": 2}


def to_ort(array: Array) -> onnxruntime.OrtValue:
    """Give an array as ONNX Runtime's value."""
    if not is_wide(array.dtype):
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(array.shape, _TYPES[array.dtype.name])
    data = _packed(array).tobytes()
    ctypes.memmove(value.data_ptr(), data, len(data))
    return value


def from_ort(value: onnxruntime.OrtValue, dtype: np.dtype[np.generic]) -> Array:
    """Give ONNX Runtime's value as an array of a type."""
    if not is_wide(dtype):
        return np.asarray(value.numpy())
    data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return _unpacked(np.frombuffer(data, np.uint8), dtype, tuple(value.shape()))


def _packed(array: Array) -> npt.NDArray[np.uint8]:
    octets = np.frombuffer(array.tobytes(), np.uint8)
    bits = _BITS.get(array.dtype.name, 8)
    if bits == 8:
        return octets
    each = 8 // bits
    padded = np.zeros(-(-octets.size // each) * each, np.uint8)
    padded[: octets.size] = octets & (1 << bits) - 1
    packed: npt.NDArray[np.uint8] = np.bitwise_or.reduce(
        padded.reshape(-1, each) << np.arange(0, 8, bits, dtype=np.uint8), axis=1
    )
    return packed


def _unpacked(octets: npt.NDArray[np.uint8], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
    bits = _BITS.get(dtype.name, 8)
    if bits == 8:
        return octets.view(dtype).reshape(shape)
    each = (octets[:, np.newaxis] >> np.arange(0, 8, bits, dtype=np.uint8)) & (1 << bits) - 1
    flat = each.reshape(-1)[: int(np.prod(shape))].astype(np.uint8)
    return flat.view(dtype).reshape(shape)
