"""Reads ``scoring.json`` and compares it with the model: an error says where, and which keys and names there are."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from ..errors import ModelError
from ..options import misfit
from .boxes import Boxes
from .field_map import FieldMap
from .input_fields import Field
from .output_fields import Output
from .pictures import Picture, PictureInput
from .specs import TensorSpec

MAX_SIZE = 2**20
"""Bytes of a scoring.json at most."""

T = TypeVar("T")


class _File(msgspec.Struct, frozen=True):
    """The whole of it, its entries unread; see FieldMap."""

    batch: bool | None = None
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    keep: bool | list[str] | dict[str, str] = False


def read_field_map(
    path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], classes: Sequence[str] = ()
) -> FieldMap | None:
    """Read ``scoring.json`` and compare it with the model; None if there is none.

    Args:
        path: of the file.
        inputs: of the model.
        outputs: of the model.
        classes: their names where the model has them, the labels of boxes that have none.

    Raises:
        ModelError: it cannot be read, or names or counts do not fit the model; one sentence that says where.
    """
    if not path.exists():
        return None
    try:
        data = path.read_bytes()[: MAX_SIZE + 1]
        if len(data) > MAX_SIZE:
            raise ModelError(f"it has more than {MAX_SIZE} bytes")
        file = _read(msgspec.json.decode(data), _File, "")
        for spec in inputs if file.batch else ():
            if spec.form != "tensor" or spec.shape[:1] != (None,):
                raise ModelError(f"batch is true, but the first dimension of {spec.name} is fixed")
        takes = _by_name(inputs, file.inputs, "input")
        gives = _by_name(outputs, file.outputs, "output")
        return FieldMap(
            file.batch,
            {name: _input(entry, f"inputs.{name}", takes[name]) for name, entry in file.inputs.items()},
            {name: _outputs(entry, f"outputs.{name}", gives[name], classes) for name, entry in file.outputs.items()},
            file.keep,
        )
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ModelError) as error:
        reason = misfit(error) if isinstance(error, msgspec.DecodeError) else error
        raise ModelError(f"{path} cannot be used: {reason}") from error


def _by_name(specs: Sequence[TensorSpec], entries: Mapping[str, object], noun: str) -> dict[str, TensorSpec]:
    found = {spec.name: spec for spec in specs}
    for name in entries:
        _known(name, list(found), f"the model has no {noun}")
    return found


def _known(name: str, names: Sequence[str], sentence: str) -> None:
    if name not in names:
        near = get_close_matches(name, names, 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ModelError(f"{sentence} {name!r}{meant}, only {', '.join(names)}")


def _input(entry: object, where: str, spec: TensorSpec) -> Field | list[Field] | PictureInput:
    if isinstance(entry, dict) and "decode" in entry:
        picture = _read(entry, Picture, where)
        try:
            return PictureInput(picture, spec)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error
    if not isinstance(entry, list):
        return _read(entry, Field, where, "field")
    if spec.shape and spec.shape[-1] not in (None, len(entry)):
        raise ModelError(f"{where} has {len(entry)} fields for an input that takes {spec.shape[-1]}")
    return [_read(each, Field, f"{where}[{place}]", "field") for place, each in enumerate(entry)]


def _outputs(entry: object, where: str, spec: TensorSpec, classes: Sequence[str]) -> list[Output]:
    if isinstance(entry, list):
        return [_output(each, f"{where}[{place}]", spec, classes) for place, each in enumerate(entry)]
    return [_output(entry, where, spec, classes)]


def _output(entry: object, where: str, spec: TensorSpec, classes: Sequence[str]) -> Output:
    if not isinstance(entry, dict) or entry.get("boxes") is None:
        output = _read(entry, Output, where, "name")
        if output.threshold is None:
            return output
        return msgspec.structs.replace(output, threshold=_in_type(output.threshold, spec))
    boxes = _read(entry["boxes"], Boxes, f"{where}.boxes", "layout")
    boxes = msgspec.structs.replace(boxes, score=_in_type(boxes.score, spec))
    output = _read({"labels": list(classes)} | entry | {"boxes": boxes}, Output, where)
    if output.top is not None or output.threshold is not None:
        raise ModelError(f"{where} has boxes: say max and score there, not top and threshold")
    if wrong := boxes.misfit(spec.shape, output.labels) if spec.form == "tensor" else "no tensor":
        raise ModelError(f"{where}.boxes do not fit: the output is {wrong}")
    return output


def _in_type(bound: float, spec: TensorSpec) -> float:
    """Give a bound as the output's type has it: 0.7 of a float32 is less than 0.7, and is to reach it."""
    with np.errstate(over="ignore"):
        return float(np.asarray(bound).astype(spec.dtype)) if spec.dtype.kind == "f" else bound


def _read(entry: object, kind: type[T], where: str, short: str = "") -> T:
    """Give an entry as what it stands for; a text alone, where it is short for one, as the value of that key."""
    hints = get_type_hints(kind)
    if isinstance(entry, dict):
        for key in entry:
            _known(key, list(hints), f"{where} has no key".lstrip() if where else "there is no key")
    elif isinstance(entry, str) and short:
        entry = {short: entry}
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError as error:
        said, _, path = misfit(error).partition(" - at `$")
        choices = _choices(hints.get(path.strip("`.").partition("[")[0]))
        reason = f"expected one of {', '.join(choices)}" if choices else said
        raise ModelError(f"{where}{path.rstrip('`')}: {reason}".lstrip(".: ")) from None


def _choices(hint: object) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for inner in get_args(hint) for choice in _choices(inner))
