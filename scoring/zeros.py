"""A request of zeros for a model without code, so that it can be tried without a sample."""

from .field_map import FieldMap
from .onnx_model import OnnxModel
from .onnx_types import TensorSpec


def zero_request(model: OnnxModel) -> dict[str, object]:
    """Give a request that the model takes: zeros, false and empty texts, 1 where a dimension is free."""
    request: dict[str, object] = {}
    for spec in model.inputs:
        request |= _fields_of(spec, model.fields, row=model.batches)
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
