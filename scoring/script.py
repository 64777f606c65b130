"""Finds and loads the scoring script, says which kind of run() it has, and calls it."""

import importlib.util
import inspect
import itertools
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal, TypeVar, overload

from . import codecs
from .bisection import as_run_error, score_batch
from .errors import ModelError, ScriptError
from .predictions import Outcome
from .traces import blame, own_traceback

F = TypeVar("F", bound=Callable[..., object])

TURN = 0.005
"""Seconds after which a script that takes one request at a time lets the answered ones go."""

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What ``@batched`` was given."""

    max_size: int = 64
    bisect: bool = True


@overload
def batched(run: F, /) -> F: ...
@overload
def batched(*, max_size: int = 64, bisect: bool = True) -> Callable[[F], F]: ...
def batched(run: F | None = None, /, *, max_size: int = 64, bisect: bool = True) -> F | Callable[[F], F]:
    """Mark ``run(requests)`` as taking a list of decoded requests and giving one prediction each, same order.

    Args:
        run: the function, when used without arguments.
        max_size: requests in one call at most.
        bisect: False when a call has side effects: a failing batch is then not tried again in halves.

    Raises:
        ValueError: max_size is less than 1.
    """
    if max_size < 1:
        raise ValueError(f"@batched has max_size={max_size}: it must be at least 1")

    def mark(function: F) -> F:
        function.__dict__["__scoring_batched__"] = BatchOptions(max_size, bisect)
        return function

    return mark if run is None else mark(run)


@dataclass(frozen=True, slots=True)
class Script:
    """A loaded scoring script.

    Attributes:
        kind: ``batched``, ``classic`` (one request a call, as text) or ``onnx`` (no script: a bare model).
        path: the file.
        init: call once, on the scoring thread, before the first score(). Raises ScriptError or ModelError.
        score: takes requests, gives an outcome for each of the first ones, at least for one; never raises.
        decode: body → request. Raises RequestError.
        rows: whether the rows of a body are requests of their own.
        max_size: requests in one score() at most.
    """

    kind: Literal["batched", "classic", "onnx"]
    path: Path
    init: Callable[[], None]
    score: Callable[[list[object]], list[Outcome]]
    decode: Callable[[codecs.Body], object]
    rows: bool
    max_size: int


def load(directory: Path, name: str = "score.py") -> Script:
    """Import the scoring script of a directory as Azure ML's images do: it is the working directory and on the path.

    Without a script the built-in one serves the bare ``model.onnx``.

    Raises:
        ScriptError: there is neither script nor model, the script does not import, or run() is missing or unfit.
    """
    directory = directory.resolve()
    _refuse_shadows(directory)
    path = directory / name
    if path.is_file():
        kind: Literal["script", "onnx"] = "script"
    elif name == "score.py" and _has_model(directory):
        kind, path = "onnx", Path(__file__).with_name("onnx_script.py")
    else:
        raise ScriptError(f"there is no {name} and no model.onnx in {directory}: put one there or set SCORING_DIR")
    os.chdir(directory)
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    return _script_of(_import(path, directory), path, directory, bare=kind == "onnx")


def _refuse_shadows(directory: Path) -> None:
    for name in ("module", "scoring"):
        for shadow in (directory / name / "__init__.py", directory / f"{name}.py"):
            if shadow.exists():
                raise ScriptError(f"rename {shadow}: the runtime's own package is called {name}")


def _has_model(directory: Path) -> bool:
    models = os.environ.get("AZUREML_MODEL_DIR")
    return any(directory.glob("*.onnx")) or (models is not None and any(Path(models).rglob("*.onnx")))


def _import(path: Path, directory: Path) -> ModuleType:
    # A name of its own each time: inference_schema keeps global state by module name.
    spec = importlib.util.spec_from_file_location(f"scoring_script_{next(_serial)}", path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path} is not a Python file: set SCORING_SCRIPT to the file that has init() and run()")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ScriptError(
            f"the scoring script does not import: {blame(error, directory)}", own_traceback(error, directory)
        ) from error
    return module


def _script_of(module: ModuleType, path: Path, directory: Path, *, bare: bool) -> Script:
    run, init = getattr(module, "run", None), getattr(module, "init", None)
    if not callable(run):
        raise ScriptError(f"{path.name} has no function run(): add def run(raw_data) or @batched def run(requests)")
    if not callable(init):
        raise ScriptError(f"{path.name} has no function init(): add def init() that loads the model")
    options = getattr(run, "__scoring_batched__", None)
    parameter = _first_parameter(run, path)
    if options is None and parameter == "mini_batch":
        options = BatchOptions()

    def guarded_init() -> None:
        try:
            init()
        except ModelError:
            raise
        except (Exception, SystemExit) as error:
            sentence = f"init() of the scoring script failed: {blame(error, directory)}"
            raise ScriptError(sentence, own_traceback(error, directory)) from error

    if options is None:
        score: Callable[[list[object]], list[Outcome]] = _one_by_one(run, parameter, directory)
        return Script("classic", path, guarded_init, score, codecs.decode_text, rows=False, max_size=64)

    def score_all(requests: list[object]) -> list[Outcome]:
        return score_batch(run, requests, directory, bisect=options.bisect)

    kind: Literal["batched", "onnx"] = "onnx" if bare else "batched"
    return Script(kind, path, guarded_init, score_all, codecs.decode_json, rows=True, max_size=options.max_size)


def _first_parameter(run: Callable[..., object], path: Path) -> str:
    line = run.__code__.co_firstlineno if isinstance(run, FunctionType) else 0
    where = f"{path.name} line {line}: run()"
    parameters = inspect.signature(run).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise ScriptError(f"{where} must name its parameters: *args and **kwargs cannot be filled from a message")
    names = [p.name for p in parameters if p.name != "request_headers"]
    if not names:
        raise ScriptError(f"{where} takes no parameter: add one for the message, as in def run(raw_data)")
    return names[0]


def _one_by_one(run: Callable[..., object], parameter: str, directory: Path) -> Callable[[list[object]], list[Outcome]]:
    """Give a score() that calls run() once per request, by keyword, and returns after a turn's time."""

    def score(requests: list[object]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        end = time.perf_counter() + TURN
        for request in requests:
            arguments: dict[str, Any] = {parameter: request}
            try:
                outcomes.append(run(**arguments))
            except BaseException as error:  # SystemExit and CancelledError too, as in score_batch
                outcomes.append(as_run_error(error, directory))
            if time.perf_counter() > end:
                break
        return outcomes

    return score
