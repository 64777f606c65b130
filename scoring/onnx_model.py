"""OnnxModel: a session that takes and gives batches."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from .errors import ModelError, RequestError
from .loaded import MODELS, LoadedModel
from .providers import session_options
from .tensors import Array, TensorSpec, spec_of, stack, value_of, whole


class OnnxModel:
    """An ONNX model that scores lists of requests.

    A request is ``{input name: value without the batch axis}``, with one input the bare value too; unknown fields are
    ignored. A prediction is ``{output name: value without the batch axis}``: a number for an output of one number per
    request, else a numpy array. A batch axis exists only if the first dimension of every input and output is free;
    otherwise a request is the whole tensor and each is a call of its own.

    Attributes:
        path: the file.
        inputs, outputs: what the model declares.
        batches: whether several requests share a call.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Load a model: a path, taken from the working directory or AZUREML_MODEL_DIR; by default the only one there.

        Raises:
            ModelError: it is not there, or ONNX Runtime cannot load it.
        """
        self.path = _find(path)
        try:
            self._session = onnxruntime.InferenceSession(
                self.path, session_options(self.path), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"ONNX Runtime cannot load {self.path}: {reason}") from error
        self.inputs = [spec_of(i.name, i.type, i.shape) for i in self._session.get_inputs()]
        self.outputs = [spec_of(o.name, o.type, o.shape) for o in self._session.get_outputs()]
        MODELS.append(LoadedModel(self.path.resolve(), self._session.get_providers()[0]))
        self.batches = all(spec.has_batch_axis for spec in (*self.inputs, *self.outputs))

    def predict(self, requests: Sequence[object]) -> list[dict[str, object]]:
        """Score requests, one prediction each, same order.

        Raises:
            RequestError: a request does not fit; the sentence names the field.
        """
        only = len(self.inputs) == 1
        columns = [[value_of(request, spec, only_input=only) for request in requests] for spec in self.inputs]
        if not self.batches:
            return [self._single(values) for values in zip(*columns, strict=True)]
        if any(None in spec.shape[1:] for spec in self.inputs):
            return self._by_shape(columns, len(requests))
        return self._batch(columns)

    def _batch(self, columns: list[list[object]]) -> list[dict[str, object]]:
        feeds = {spec.name: stack(values, spec) for spec, values in zip(self.inputs, columns, strict=True)}
        tensors = self._session.run(None, feeds)
        names = [spec.name for spec in self.outputs]
        rows = zip(*map(_rows, tensors), strict=True)
        return [dict(zip(names, values, strict=True)) for values in rows]

    def _by_shape(self, columns: list[list[object]], count: int) -> list[dict[str, object]]:
        """Score requests whose free dimensions may differ: those of one shape share a call."""
        groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for index in range(count):
            groups[
                tuple(_shape(values[index], spec) for spec, values in zip(self.inputs, columns, strict=True))
            ].append(index)
        predictions: dict[int, dict[str, object]] = {}
        for indices in groups.values():
            batch = self._batch([[values[index] for index in indices] for values in columns])
            predictions.update(zip(indices, batch, strict=True))
        return [predictions[index] for index in range(count)]

    def _single(self, values: Sequence[object]) -> dict[str, object]:
        feeds = {spec.name: whole(value, spec) for spec, value in zip(self.inputs, values, strict=True)}
        tensors = self._session.run(None, feeds)
        return {spec.name: _plain(tensor) for spec, tensor in zip(self.outputs, tensors, strict=True)}


def _find(path: str | os.PathLike[str] | None) -> Path:
    models = os.environ.get("AZUREML_MODEL_DIR")
    if path is not None:
        candidates = [Path(path), *([Path(models) / path] if models else [])]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise ModelError(f"there is no model at {' or '.join(map(str, candidates))}")
    found = sorted(Path().glob("*.onnx")) or (sorted(Path(models).rglob("*.onnx")) if models else [])
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise ModelError(f"expected exactly one .onnx file in {Path.cwd()}, found {names}: name it in a score.py")
    return found[0]


def _shape(value: object, spec: TensorSpec) -> tuple[int, ...]:
    try:
        return np.array(value).shape
    except ValueError:
        raise RequestError(f"the field {spec.name} is ragged: its rows differ in length") from None


def _rows(tensor: Array) -> Sequence[object]:
    """Give one value per row: Python numbers where a row is a single one, arrays else."""
    return tensor.reshape(-1).tolist() if tensor.ndim == 1 or tensor.shape[1:] == (1,) else list(tensor)


def _plain(tensor: Array) -> object:
    return tensor.item() if tensor.size == 1 else tensor
