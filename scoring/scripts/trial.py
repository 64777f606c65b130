"""Tries a scoring script: loads it, calls init(), scores a sample, measures it; what `scoring-module check` tells."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from ..bodies.codecs import Body, rows_of
from ..compat.model_location import VARIABLE
from ..errors import RequestError, RunError, ScoringError, ScriptError
from ..predictions import SAMPLE, SUSPECT, Context, Leaving, Request
from .loading import Script, load
from .mlflow_model import MlflowModel
from .results import ResultOptions, joined

SIZES = (1, 8, 32, 128)
"""Batch sizes that are measured, as far as the script takes them."""

SECONDS = 0.7
"""What the measurement of one size takes at most."""

_MOST_CALLS = 300
_MOST_BODIES = 100


@dataclass
class Trial:
    """What was found out about a scoring directory.

    Attributes:
        directory: absolute.
        script: the file's name in it; empty if it has none but a bare model.
        kind: see Script; empty if it does not load.
        is_async: whether run() is awaited.
        max_size: requests in one run() at most.
        replaced: what a stand-in stood in for → what the stand-in does.
        model_dir: AZUREML_MODEL_DIR as the script sees it.
        models: path, execution provider, SHA-256 and plan of every OnnxModel that init() made.
        described: what a bare model takes and gives, in sentences.
        sample_from: where the sample is from; empty without one.
        sample: the first body, cut.
        answers: the bodies that leave for it, cut.
        milliseconds: of one run() by its number of requests.
        merged: whether several messages may share a run(), as far as that is known now.
        why: the reason.
        notes: what people should know though it works.
        error: why it does not work, in one sentence; empty if it does.
        user_traceback: of the error, in the user's own files.
    """

    directory: str
    script: str
    kind: str = ""
    is_async: bool = False
    max_size: int = 0
    replaced: Mapping[str, str] = field(default_factory=dict)
    model_dir: str = ""
    models: list[dict[str, str]] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    sample_from: str = ""
    sample: str = ""
    answers: list[str] = field(default_factory=list)
    milliseconds: dict[int, float] = field(default_factory=dict)
    merged: bool = False
    why: str = ""
    notes: list[str] = field(default_factory=list)
    error: str = ""
    user_traceback: str = ""


def try_script(directory: Path, name: str, bodies: Sequence[Body], options: ResultOptions) -> Trial:
    """Load, initialise, score and measure; whatever goes wrong is in the trial's ``error``.

    Args:
        directory: with score.py or a model.
        name: of the script.
        bodies: to score; if there are none, the directory's or the script's own sample.
        options: how results become bodies.
    """
    trial = Trial(str(directory), name)
    try:
        script = load(directory, name, options)
        trial.script, trial.kind, trial.is_async = script.name, script.kind, script.is_async
        trial.max_size = script.max_size if script.rows else 1
        trial.replaced = script.replaced
        trial.model_dir = os.environ.get(VARIABLE, "")
        script.init()
        for each in script.models:
            told = {"path": str(each.path), "provider": each.provider, "sha256": each.sha256}
            trial.models.append(told | {"plan": each.describe_plan()})
        trial.notes += [each.trouble for each in script.models if each.trouble]
        trial.sample_from, bodies = ("--sample", bodies) if bodies else _own_sample(trial, script, directory)
        if bodies:
            if len(bodies) > _MOST_BODIES:
                trial.notes.append(f"the first {_MOST_BODIES} of {len(bodies)} bodies were scored")
            _score(trial, script, bodies[:_MOST_BODIES], options)
        else:
            trial.notes.append("nothing was scored: give --sample FILE, or put a body into sample.json beside it")
        trial.merged, trial.why = _merging(script, bodies)
    except ScoringError as error:
        trial.error = str(error)
        trial.user_traceback = error.user_traceback if isinstance(error, ScriptError | RunError) else ""
    return trial


def _own_sample(trial: Trial, script: Script, directory: Path) -> tuple[str, list[Body]]:
    """Give where the sample is from and the sample: sample.json, the schema's, or zeros for a bare model."""
    file = directory / SAMPLE
    if file.is_file():
        return SAMPLE, [Body(file.read_bytes(), "application/json")]
    if script.sample is not None:
        return "the input schema", [Body(json.dumps(script.sample).encode(), "application/json")]
    if script.kind == "mlflow":
        mlflow = script.models[-1].model()
        assert isinstance(mlflow, MlflowModel)  # noqa: S101 - the built-in script makes one
        trial.described = mlflow.describe()
        source, example = mlflow.example()
        return source, [Body(example, "application/json")] if source else []
    if script.kind != "onnx":
        return "", []
    from ..onnx.describe import describe  # noqa: PLC0415 - ONNX Runtime, for a bare model only
    from ..onnx.model import OnnxModel  # noqa: PLC0415
    from ..onnx.zeros import zero_request  # noqa: PLC0415

    model = script.models[-1].model()
    assert isinstance(model, OnnxModel)  # noqa: S101 - the built-in script makes one
    trial.described = describe(model)
    zeros = zero_request(model.inputs, model.fields, row=model.batches)
    return "zeros", [Body(json.dumps(zeros).encode(), "application/json")]


def _score(trial: Trial, script: Script, bodies: Sequence[Body], options: ResultOptions) -> None:
    """Score every body; raises what the first bad one stands for."""
    requests: list[Request] = []
    trial.sample = _cut(bodies[0].data)
    for number, body in enumerate(bodies, 1):
        try:
            request = script.decode(body)
            rows = rows_of(request) if script.rows else None
            context = Context(properties=body.headers, content_type=body.content_type) if script.wants_context else None
            decoded = [Request(value, context, is_row=rows is not None) for value in rows or [request]]
            left: list[tuple[Leaving, ...]] = []
            while len(left) < len(decoded):
                for outcome in script.score(decoded[len(left) : len(left) + script.max_size]):
                    if isinstance(outcome, ScoringError):
                        raise outcome
                    left.append(outcome)
            answers = list(left[0]) if rows is None else list(joined(left, options))
        except ScoringError as error:
            sentence = f"the sample{f' in line {number}' if len(bodies) > 1 else ''} is not scored: {error}"
            trace = error.user_traceback if isinstance(error, RunError) else ""
            raise RunError(sentence, trace) from error
        if number == 1:
            trial.answers = [_cut(each.body) for each in answers]
        if any(SUSPECT in each.properties for each in answers):
            trial.notes.append(f"the answer to body {number} looks like an exception that the script caught")
        requests += decoded
    _measure(trial, script, requests)


def _measure(trial: Trial, script: Script, requests: Sequence[Request]) -> None:
    for size in (each for each in SIZES if each <= trial.max_size):
        batch = list(islice(cycle(requests), size))
        taken: list[float] = []
        end = time.perf_counter() + SECONDS
        while not taken or (len(taken) < _MOST_CALLS and time.perf_counter() < end):
            start = time.perf_counter()
            script.score(batch)
            taken.append(time.perf_counter() - start)
        trial.milliseconds[size] = round(1e3 * sorted(taken)[len(taken) // 2], 4)


def _merging(script: Script, bodies: Sequence[Body]) -> tuple[bool, str]:
    """Say whether several messages may share a run(), and why."""
    if script.rows:
        return True, f"run() takes lists, of {script.max_size} at most"
    if script.merging is None:
        return False, script.alone
    requests = []
    for body in bodies:
        with suppress(RequestError):
            requests.append(script.decode(body))
    return script.merging.tried(requests)


def _cut(body: bytes) -> str:
    text = body[:400].decode(errors="replace")
    return text if len(body) <= 400 else f"{text}… ({len(body)} bytes)"
