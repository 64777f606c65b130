"""OnnxModel: a session that takes and gives batches."""

import logging
import os
import weakref
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from ..errors import ModelError, RequestError
from ..execution.calibration import repeated
from ..execution.model_registry import LoadedModel, register
from ..execution.providers import mentions
from ..execution.runner import Runner
from ..execution.sessions import Feeds, FeedsMaker
from ..options import Options, current
from .boxes import class_names
from .model_inputs import fed, rows, unpacked, value_of
from .scoring_json import read_field_map
from .specs import is_wide, spec_of
from .tensors import shape_of, stack
from .wide_values import from_ort, to_ort
from .zeros import sample, zero_request

_FEW, _TRIES = 3, 8
"""Requests that, with the last, show whether they may share a call; batches of such as differ that show it."""

_log = logging.getLogger(__name__)


class OnnxModel:
    """An ONNX model that scores lists of requests.

    A request is ``{input name: value without the batch axis}``, with one input the bare value too; unknown fields are
    ignored. A prediction is ``{output name: value without the batch axis}``: a number for an output of one number per
    request, a dict for a ZipMap, else a numpy array. A batch axis exists only if the first dimension of every input and
    output is free, or ``scoring.json`` says so; otherwise a request is the whole tensor and each is a call of its own.
    A ``scoring.json`` beside the model maps fields to inputs and outputs to fields (see field_map).

    Attributes:
        path: the file.
        loaded: on which provider it is run, and how.
        inputs, outputs: what the model declares.
        defaults: inputs that the model has values for; a request with such a field is a call of its own.
        fields: what ``scoring.json`` says; None without one.
        batches: whether several requests share a call.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Load a model: a path, taken from the working directory or AZUREML_MODEL_DIR; by default the only one there.

        Raises:
            ModelError: it is not there, ONNX Runtime cannot load it, or scoring.json does not fit it.
            OptionsError: a SCORING_ variable does not fit.
        """
        self.path = _find(path)
        self.loaded = LoadedModel(self.path.resolve(), weakref.ref(self))
        self._runner = Runner(self.loaded, current(Options), self._call)
        register(self.loaded)
        session = self.session
        self.inputs = [spec_of(i.name, i.type, i.shape) for i in session.get_inputs()]
        self.outputs = [spec_of(o.name, o.type, o.shape) for o in session.get_outputs()]
        self.defaults = [spec_of(i.name, i.type, i.shape) for i in session.get_overridable_initializers()]
        for spec in self.inputs:
            if spec.form == "map" and spec.dtype != np.float32:
                found = f"the model's {spec.name} is a map of {spec.dtype.name}"
                raise ModelError(
                    f"{found}: ONNX Runtime takes from Python those of float32 only, so convert it with them"
                )
        classes = class_names(session.get_modelmeta().custom_metadata_map)
        self.fields = read_field_map(self.path.with_name("scoring.json"), self.inputs, self.outputs, classes)
        for picture in self.fields.pictures if self.fields else ():
            self.loaded.pictures = True
            self.inputs = [picture.spec if spec.name == picture.spec.name else spec for spec in self.inputs]
        tensors = bool(self.inputs) and all(spec.form == "tensor" and not spec.optional for spec in self.inputs)
        # LightGBM's converter declares a single label, whatever the rows.
        says_one = mentions(self.path, b"ai.onnx.ml")
        outputs_batch = all(spec.has_batch_axis or (says_one and spec.shape == (1,)) for spec in self.outputs)
        self.batches = tensors and outputs_batch and all(spec.has_batch_axis for spec in self.inputs)
        if self.fields is not None and self.fields.batch is not None:
            self.batches = self.fields.batch
        self._unproved = _TRIES if self.batches and (self.fields is None or self.fields.batch is None) else 0
        if self._unproved and mentions(self.path, b"DynamicQuantize"):  # Linear, MatMul, LSTM: one scale for a call
            self._runner.keep_apart()
        self._names = [spec.name for spec in self.outputs]
        self._only = len(self.inputs) == 1
        self._varies = any(None in spec.shape[1:] for spec in self.inputs)
        first = int(self.batches)
        free = any(None in spec.shape[first:] for spec in self.inputs)
        self._lists = [free and spec.shape[first:][-1:] == (None,) for spec in self.outputs]
        self._wide = any(is_wide(spec.dtype) for spec in (*self.inputs, *self.outputs))
        self._prepare()

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """ONNX Runtime's session, the first where there are several."""
        return self._runner.sessions.first

    @property
    def shares(self) -> bool:
        """Whether requests share a call: they have a batch axis and were not seen to change each other's outputs."""
        return self.batches and self._runner.shares

    def predict(self, requests: Sequence[object]) -> list[dict[str, object]]:
        """Score requests, one prediction each, same order.

        Raises:
            RequestError: a request does not fit; the sentence names the field.
        """
        score = self._singles if not self.batches else self._by_shape if self._varies or self.defaults else self._batch
        return score(requests) if self.fields is None else self.fields.predict(requests, score)

    def _batch(self, requests: Sequence[object]) -> list[dict[str, object]]:
        if given := self._given_defaults(requests[0]):
            (outputs,) = self._run(lambda: self._runner.calls([lambda: self._rows(requests) | given]))
        else:
            outputs = self._run(lambda: self._shared(requests), lambda: self._rows(requests[:1]))
        columns = [rows(tensor, is_list=is_list) for tensor, is_list in zip(outputs, self._lists, strict=True)]
        if len(columns) == 1:
            (name,) = self._names
            return [{name: value} for value in columns[0]]
        return [dict(zip(self._names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _shared(self, requests: Sequence[object]) -> list[Any]:
        """Run requests in as few calls as pay; the first ones that differ show whether they may share one at all."""
        if self._unproved and self._runner.shares and len(requests) > 1:
            feeds = self._rows([*requests[:_FEW], requests[-1]])
            if any(not np.array_equal(array[:1], array[-1:]) for array in feeds.values()):
                self._runner.prove(feeds)
                self._unproved -= 1
        return self._runner.rows(lambda part: self._rows(requests[part]), len(requests))

    def _rows(self, requests: Sequence[object]) -> dict[str, Any]:
        only = self._only
        return {
            spec.name: stack([value_of(request, spec, only_input=only) for request in requests], spec)
            for spec in self.inputs
        }

    def _by_shape(self, requests: Sequence[object]) -> list[dict[str, object]]:
        """Score requests whose free dimensions may differ: those of one shape share a call, with a default none."""
        groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            values = (value_of(request, spec, only_input=self._only) for spec in self.inputs)
            alone = index if self._given_defaults(request) else None
            groups[alone, *map(shape_of, values)].append(index)
        predictions: dict[int, dict[str, object]] = {}
        for indices in groups.values():
            batch = self._batch([requests[index] for index in indices])
            predictions.update(zip(indices, batch, strict=True))
        return [predictions[index] for index in range(len(requests))]

    def _singles(self, requests: Sequence[object]) -> list[dict[str, object]]:
        calls = [partial(self._whole, request) for request in requests]
        outputs = self._run(lambda: self._runner.calls(calls), calls[0])
        return [
            {
                name: unpacked(value, is_list=is_list)
                for name, value, is_list in zip(self._names, each, self._lists, strict=True)
            }
            for each in outputs
        ]

    def _whole(self, request: object) -> dict[str, Any]:
        feeds = {spec.name: fed(value_of(request, spec, only_input=self._only), spec) for spec in self.inputs}
        return feeds | self._given_defaults(request)

    def _given_defaults(self, request: object) -> dict[str, object]:
        if not self.defaults or not isinstance(request, dict):
            return {}
        return {spec.name: fed(request[spec.name], spec) for spec in self.defaults if spec.name in request}

    def _run(self, run: Callable[[], list[Any]], first: FeedsMaker | None = None) -> list[Any]:
        """Run the model, prepared with the first row it gets if nothing was known before."""
        try:
            if first is not None and not self._runner.is_ready:
                feeds = first()
                if self._unproved:
                    self._runner.prove(repeated(feeds, 2), made_up=True)
                self._runner.prepare(feeds, batches=self.batches and self._runner.shares)
            return run()
        except (InvalidArgument, RuntimeError) as error:  # RuntimeError: no such value fits into the type
            reason = " ".join(str(error).split())[:300]
            raise RequestError(f"the model refuses the request: {reason}") from error

    def _call(self, session: onnxruntime.InferenceSession, feeds: Feeds) -> list[Any]:
        if not self._wide:
            return session.run(None, feeds)  # type: ignore[no-any-return]
        values = {name: to_ort(array) for name, array in feeds.items()}
        given = session.run_with_ort_values(self._names, values)
        return [from_ort(value, spec.dtype) for value, spec in zip(given, self.outputs, strict=True)]

    def _prepare(self) -> None:
        """Score an example, which prepares the model; where none fits, the first request is it."""
        examples = [sample()]
        if not self._varies:
            examples.append(zero_request(self.inputs, self.fields, row=self.batches))
        for request in examples:
            try:
                if request is not None and not self._runner.is_ready:
                    self.predict([request])
            except ModelError:
                raise
            except Exception as error:
                _log.debug("%s is not prepared by an example: %s", self.path.name, error)


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
