"""Requests ↔ what a session takes and gives: fields by input name in, outputs by name out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import RequestError
from .specs import TensorSpec
from .tensors import Array, stack, whole

_WHOLE = re.compile(r"-?[0-9]{1,19}")


def value_of(request: object, spec: TensorSpec, *, only_input: bool) -> object:
    """Give what a request holds for an input: the field of its name; with one input the bare value too.

    Raises:
        RequestError: the field is missing; the sentence names it and those that are there.
    """
    if isinstance(request, dict):
        if spec.name in request:
            return request[spec.name]
        if spec.optional:
            return None
        if spec.form == "map" and only_input:
            return request
        raise RequestError(f"the field {spec.name} is missing (there: {there(request)}){_advice(request, spec)}")
    if only_input:
        return request
    raise RequestError(f"the field {spec.name} is missing: expected an object with the model's inputs as fields")


def there(request: Mapping[object, object]) -> str:
    """Name the fields that a request has."""
    return ", ".join(sorted(str(name)[:40] for name in request)[:8]) or "none"


def _advice(request: Mapping[object, object], spec: TensorSpec) -> str:
    """Say how to gather numbers that came as fields of their own into the one input that takes as many."""
    numbers = [str(name)[:40] for name, value in request.items() if isinstance(value, int | float)]
    size = spec.shape[-1] if len(spec.shape) in (1, 2) else None
    if spec.form != "tensor" or size is None or not 1 < size <= len(numbers):
        return ""
    names = ", ".join(f'"{name}"' for name in numbers[:2])
    more = ", …" if size > 2 else ""
    return f': send it, or gather {size} fields in scoring.json, {{"inputs": {{"{spec.name}": [{names}{more}]}}}}'


def fed(value: object, spec: TensorSpec) -> object:
    """Give the value of one request in the form that a session takes: an array, a list of arrays, a dict or None.

    Raises:
        RequestError: it has the wrong type or shape; the sentence names the field.
    """
    if value is None and spec.optional:
        return None
    if spec.form == "tensor":
        return whole(value, spec)
    if spec.form == "sequence":
        if not isinstance(value, list | tuple):
            raise RequestError(f"the field {spec.name} holds no list: expected {spec.describe(row=False)}")
        return [whole(each, spec) for each in value]
    return _map(value, spec)


def _map(value: object, spec: TensorSpec) -> object:
    if not isinstance(value, Mapping) or not value:
        raise RequestError(f"the field {spec.name} holds no object with entries: expected {spec.describe(row=False)}")
    if spec.key == "int64" and (odd_key := next((k for k in value if not _is_int64(k)), None)) is not None:
        raise RequestError(f"the field {spec.name} has the name {odd_key!s:.40}: expected {spec.describe(row=False)}")
    odd = next((k for k, v in value.items() if not isinstance(v, int | float)), None)
    if odd is not None:
        raise RequestError(f"the field {spec.name} has at {str(odd)[:40]} no {spec.dtype.name}")
    values = stack([*value.values()], replace(spec, shape=(None,), form="tensor"))
    return dict(zip(map(int if spec.key == "int64" else str, value), values.tolist(), strict=True))


def _is_int64(name: object) -> bool:
    return _WHOLE.fullmatch(str(name)) is not None and -(2**63) <= int(str(name)) < 2**63


def rows(tensor: Array | list[dict[object, object]], *, is_list: bool = False) -> Sequence[object]:
    """Give one value per row: Python numbers where a row is a single one, dicts of a ZipMap, arrays else.

    Args:
        tensor: the output.
        is_list: whether a row is as long as its request, so that one number is a list too.
    """
    if isinstance(tensor, list):
        return [_named(each) for each in tensor]
    is_number = tensor.ndim == 1 or (tensor.shape[1:] == (1,) and not is_list)
    return tensor.reshape(-1).tolist() if is_number else list(tensor)


def unpacked(value: object, *, is_list: bool = False) -> object:
    """Give the output of a call that is one request: a number if it is one, dicts with names as keys, arrays else.

    Args:
        value: the output.
        is_list: whether it is as long as the request, so that one number is a list too.
    """
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 and not is_list else value
    if isinstance(value, list):
        return [unpacked(each) if isinstance(each, dict) else each for each in value]
    return _named(value) if isinstance(value, dict) else value


def _named(value: Mapping[object, object]) -> dict[str, object]:
    return {str(key): each for key, each in value.items()}
