"""A request to try a model with: of its sample, else of zeros."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..predictions import SAMPLE
from .field_map import FieldMap
from .specs import TensorSpec


def sample() -> object:
    """Give the first request of the sample; None without one."""
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
        request |= _fields_of(spec, fields, row=row)
    return request


def _fields_of(spec: TensorSpec, fields: FieldMap | None, *, row: bool) -> dict[str, object]:
    if spec.optional:
        return {}
    said = fields.inputs.get(spec.name) if fields is not None else None
    if said is None:
        return {spec.name: _zeros(spec, row=row)}
    if isinstance(said, list):
        return {each if isinstance(each, str) else each.field: _zero(spec) for each in said}
    return {said if isinstance(said, str) else said.field: _zeros(spec, row=row)}


def _zeros(spec: TensorSpec, *, row: bool) -> object:
    if spec.form != "tensor":
        return {} if spec.form == "map" else []
    value: object = _zero(spec)
    for size in reversed(spec.shape[1:] if row else spec.shape):
        value = [value] * (size or 1)
    return value


def _zero(spec: TensorSpec) -> object:
    return {"U": "", "b": False, "f": 0.0}.get(spec.kind, 0)
