"""A request to try a model with: the first of sample.json, else one of zeros."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..predictions import SAMPLE
from .field_map import FieldMap
from .pictures import DOT, PictureInput
from .specs import TensorSpec


def sample() -> object:
    """Give the first request in sample.json; None without one."""
    with suppress(OSError, ValueError):
        body = json.loads(Path(SAMPLE).read_bytes())
        return body[0] if isinstance(body, list) and body and isinstance(body[0], list | dict) else body
    return None


def zero_request(inputs: Sequence[TensorSpec], fields: FieldMap | None, *, row: bool) -> dict[str, object]:
    """Give a request that a model takes: zeros, false and empty texts, 1 where a dimension is free.

    Args:
        inputs: of the model.
        fields: what its scoring.json says.
        row: whether requests share a call, and have no batch axis.
    """
    request: dict[str, object] = {}
    for spec in inputs:
        if spec.optional:
            continue
        zero: object = {"U": "", "b": False, "f": 0.0}.get(spec.kind, 0)
        value: object = {"tensor": zero, "map": {}}.get(spec.form, [])
        sizes = spec.shape[1:] if row else spec.shape
        for size in reversed(() if row and sizes == (1,) else sizes):  # a column's value stands alone
            value = [value] * (size or 1) if spec.form == "tensor" else value
        entry = fields.inputs.get(spec.name) if fields else None
        if isinstance(entry, list):
            request |= {each.field: zero for each in entry}
        elif isinstance(entry, PictureInput):
            request[entry.field] = DOT
        else:
            request[entry.field if entry else spec.name] = value
    return request
