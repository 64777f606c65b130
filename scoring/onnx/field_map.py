"""``scoring.json`` beside a model: which message fields become its inputs, which fields its outputs become."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..errors import ModelError
from .input_fields import MISSING, Field, field_value, lookup
from .output_fields import Output, shown
from .specs import TensorSpec

MAX_SIZE = 2**20
"""Bytes of a scoring.json at most."""


class FieldMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``scoring.json`` says, as it is written there.

    Attributes:
        batch: whether several requests share a call; None: as the model's shapes say.
        inputs: by input name one field, whose value the input gets, or a list of fields, which it gets as a vector;
            an input that is not named takes the field of its own name.
        outputs: by output name one field or several; if any is named, only those leave.
        keep: message fields copied into the prediction: all of them, those at some paths, or new names by path.
    """

    batch: bool | None = None
    inputs: dict[str, str | Field | list[str | Field]] = {}
    outputs: dict[str, str | Output | list[str | Output]] = {}
    keep: bool | list[str] | dict[str, str] = False

    def fields_of(self, name: str) -> Field | list[Field] | None:
        """Give the field that an input takes, or those that it gathers; None: the one of its own name."""
        entry = self.inputs.get(name)
        if isinstance(entry, list):
            return [Field(each) if isinstance(each, str) else each for each in entry]
        return Field(entry) if isinstance(entry, str) else entry

    def outputs_of(self, name: str) -> list[Output]:
        """Give the fields that an output becomes; none if it is left out."""
        entry = self.outputs.get(name, [] if self.outputs else name)
        entries = entry if isinstance(entry, list) else [entry]
        return [Output(each) if isinstance(each, str) else each for each in entries]

    def requests(self, requests: Sequence[object]) -> list[object]:
        """Give for each request the one that the model takes: its own fields and the inputs made of them.

        Raises:
            RequestError: a field is missing or cannot be converted.
        """
        inputs = {name: entry for name in self.inputs if (entry := self.fields_of(name)) is not None}
        return [self._request(request, inputs) for request in requests] if inputs else list(requests)

    def _request(self, request: object, inputs: Mapping[str, Field | list[Field]]) -> dict[str, object]:
        made = dict(request) if isinstance(request, dict) else {}
        for name, entry in inputs.items():
            if isinstance(entry, Field):
                made[name] = field_value(request, entry)
            else:
                made[name] = [field_value(request, field) for field in entry]
        return made

    def predictions(
        self, requests: Sequence[object], predictions: Sequence[dict[str, object]]
    ) -> list[dict[str, object]]:
        """Give for each prediction of the model the one that leaves, with what is kept of its request.

        Raises:
            RunError: an output does not fit what scoring.json says of it.
        """
        outputs = [(name, output) for name in self.outputs for output in self.outputs_of(name)]
        left = predictions
        if outputs:
            left = [{each.name or of: shown(one[of], each, of) for of, each in outputs} for one in predictions]
        return [self._kept(request) | one for request, one in zip(requests, left, strict=True)]

    def _kept(self, request: object) -> dict[str, object]:
        if isinstance(self.keep, bool):
            return dict(request) if self.keep and isinstance(request, dict) else {}
        paths = self.keep if isinstance(self.keep, dict) else {path: path for path in self.keep}
        found = {name: lookup(request, path) for name, path in paths.items()}
        return {name: value for name, value in found.items() if value is not MISSING}


def read_field_map(path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> FieldMap | None:
    """Read ``scoring.json`` and compare it with the model; None if there is none.

    Raises:
        ModelError: it cannot be read, or names or counts do not fit the model; one sentence that says where.
    """
    if not path.exists():
        return None
    try:
        data = path.read_bytes()[: MAX_SIZE + 1]
        if len(data) > MAX_SIZE:
            raise ModelError(f"{path} has more than {MAX_SIZE} bytes: it is no scoring.json")
        fields = msgspec.json.decode(data, type=FieldMap)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{path} cannot be used: {error}") from error
    if wrong := _misfit(fields, inputs, outputs):
        raise ModelError(f"{path} does not fit the model: {wrong}")
    return fields


def _misfit(fields: FieldMap, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """Say what names or counts do not fit the model; empty if all do."""
    for noun, entries, specs in (("input", fields.inputs, inputs), ("output", fields.outputs, outputs)):
        names = [spec.name for spec in specs]
        for name in entries:
            if name not in names:
                return f"there is no {noun} {name}, only {', '.join(names)}"
    for spec in inputs:
        made_of = fields.inputs.get(spec.name)
        if isinstance(made_of, list) and spec.shape and spec.shape[-1] not in (None, len(made_of)):
            return f"it has {len(made_of)} fields for the input {spec.name}, which takes {spec.shape[-1]}"
        if fields.batch and (spec.form != "tensor" or spec.shape[:1] != (None,)):
            return f"batch is true, but the first dimension of {spec.name} is fixed"
    return ""
