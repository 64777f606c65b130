"""What a model says of its inputs and outputs: ONNX types → specs that say how a message holds them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np

from ..errors import ModelError

_SAME = ("float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
_NUMPY = {"float": "float32", "double": "float64", "string": "str", **{name: name for name in _SAME}}
WIDE = {
    "bfloat16": ("bfloat16", 16, 16),
    "float8e4m3fn": ("float8_e4m3fn", 17, 8),
    "float8e4m3fnuz": ("float8_e4m3fnuz", 18, 8),
    "float8e5m2": ("float8_e5m2", 19, 8),
    "float8e5m2fnuz": ("float8_e5m2fnuz", 20, 8),
    "uint4": ("uint4", 21, 4),
    "int4": ("int4", 22, 4),
    "float4e2m1": ("float4_e2m1fn", 23, 4),
    "float8e8m0": ("float8_e8m0fnu", 24, 8),
    "uint2": ("uint2", 25, 2),
    "int2": ("int2", 26, 2),
}
"""Types that numpy does not have, by ONNX Runtime's names: ml_dtypes' name, number in onnx.proto, bits."""

_NOUNS = {"f": "number", "i": "whole number", "u": "whole number", "b": "true or false", "U": "text"}

Form = Literal["tensor", "sequence", "map", "maps"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model.

    Attributes:
        name: as the model has it.
        dtype: of the array, of a sequence's arrays or of a map's values.
        shape: one entry per dimension, None where any size goes; ``()`` for a single value and where it is not said.
        form: a tensor, a sequence of tensors, a map, or maps: one per row (scikit-learn's ZipMap).
        key: ``int64`` or ``string``, of a map.
        optional: whether it may be left out.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...]
    form: Form = "tensor"
    key: str = ""
    optional: bool = False

    @property
    def has_batch_axis(self) -> bool:
        """Whether the first dimension is free, so that rows can be stacked along it; maps are rows by themselves."""
        return self.form == "maps" or self.shape[:1] == (None,)

    @property
    def kind(self) -> str:
        """What numpy calls the kind of the elements: ``f``, ``i``, ``u``, ``b`` or ``U``; int4 has none there."""
        kind = self.dtype.kind
        return kind if kind != "V" else {"i": "i", "u": "u"}.get(self.dtype.name[0], "f")

    def describe(self, *, row: bool) -> str:
        """Say in words what a message holds for it; for a row without the batch axis, and a row of one by itself."""
        noun = _NOUNS[self.kind]
        if self.form == "sequence":
            return f"a list of arrays of {noun} ({self.dtype.name})"
        if self.form != "tensor":
            return f"an object of {noun} ({self.dtype.name}) by {'name' if self.key == 'string' else 'whole number'}"
        shape = self.shape[1:] if row and self.shape[1:] != (1,) else () if row else self.shape
        size = "×".join("any" if dim is None else str(dim) for dim in shape)
        return f"array {size} of {noun} ({self.dtype.name})" if size else f"{noun} ({self.dtype.name})"


def is_wide(dtype: np.dtype[np.generic]) -> bool:
    """Say whether a type is one of ml_dtypes', which ONNX Runtime does not take from numpy."""
    return dtype.isbuiltin == 2  # registered by another package


def spec_of(name: str, onnx_type: str, shape: Sequence[int | str | None]) -> TensorSpec:
    """Describe an input or output from what a session says of it.

    Raises:
        ModelError: its type has no place in a message, or needs ml_dtypes, which is not installed.
    """
    form: Form = "tensor"
    key, inner = "", onnx_type
    if optional := re.fullmatch(r"optional\((.*)\)", inner):
        inner = optional[1]
    if sequence := re.fullmatch(r"seq\((tensor\(\w+\))\)", inner):
        form, inner = "sequence", sequence[1]
    elif maps := re.fullmatch(r"(seq\()?map\((\w+),(tensor\(\w+\))\)\)?", inner):
        form, key, inner = "maps" if maps[1] else "map", maps[2], maps[3]
    element = inner.removeprefix("tensor(").removesuffix(")")
    if element not in (_NUMPY | WIDE if form == "tensor" else _NUMPY):
        raise ModelError(f"the model's {name} has the type {onnx_type}, which has no place in a message")
    free = tuple(size if isinstance(size, int) and size >= 0 else None for size in shape)
    try:
        wide = None if element in _NUMPY else import_module("ml_dtypes")  # few models need it
        dtype = np.dtype(getattr(wide, WIDE[element][0]) if wide else _NUMPY[element])
    except (ImportError, AttributeError):
        raise ModelError(
            f"the model's {name} has the type {element}: pip install 'iotedge-scoring-module[types]' for it"
        ) from None
    return TensorSpec(name, dtype, free, form, key, optional is not None)
