"""Finds and loads the scoring script, as Azure ML's images do."""

import importlib.util
import inspect
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..batch import batch_options
from ..bodies.codecs import Body, rows_of
from ..compat.decorators import forget_rawhttp, has_schema, schema_sample, wants_rawhttp
from ..compat.finder import StandIns
from ..compat.model_location import VARIABLE, set_model_dir
from ..compat.old_libraries import put_back
from ..compat.service_schema import FILE, with_service_schema
from ..errors import ModelError, ScoringError, ScriptError, meant
from ..execution.model_registry import LoadedModel, new_registry
from ..execution.runtime_log import follow_our_log
from ..merging.merge_policy import Merging
from ..options import Options, current
from ..predictions import SAMPLE, Outcome, Request
from .answering import Answering
from .foreign import refuse_foreign
from .kinds.batched import Batched
from .kinds.classic import Classic
from .kinds.one_at_a_time import OneAtATime
from .kinds.run_function import Kind, RunFunction, read_run, settle
from .kinds.schema import Schema
from .main_thread import current_loop, tolerate_signals
from .mlflow_folder import find_mlflow
from .results import ResultOptions
from .traces import blame, not_here, own_traceback, unset

_serial = itertools.count(1)
_IDENTITY = ("MSI_", "IDENTITY_")
"""How the variables begin in which Azure says where its managed identities are to be had."""


@dataclass(frozen=True, slots=True)
class Script:
    """A loaded scoring script.

    Attributes:
        kind: ``batched``; ``classic`` (one request a call, as text), ``schema`` (arguments by name) or ``rawhttp`` (a
            request object), which all get one request a call; ``onnx`` and ``mlflow`` (no script: a bare model).
        path: the file.
        name: as SCORING_SCRIPT has it; empty for a bare model, whose built-in script is nobody's file.
        init: call once, on the scoring thread, before the first score(). Raises ScriptError or ModelError.
        score: takes requests, gives an outcome for each of the first ones, at least for one; never raises. What leaves
            is in bytes already: the next call may change what run() gave.
        decode: body → request. Raises RequestError.
        rows: whether the rows of a body are requests of their own.
        max_size: requests in one score() at most.
        is_async: whether run() is awaited.
        replaced: what the script uses and a stand-in stood in for → what that does; grows as the script imports.
        sample: the request that its schema's samples make up; None without.
        merging: whether its requests share calls; None where there is nothing to merge.
        alone: why each request has a call of its own; empty where that is not certain.
        wants_context: whether run() is to be told what its requests came with.
        models: what is known of each OnnxModel that it has made, in order; grows.
        halved: why the last batch failed that was called again in parts; empty if none was.
        probe: the request in sample.json, for finding out whether run() can succeed at all; None without one.
    """

    kind: Kind
    path: Path
    init: Callable[[], None]
    score: Callable[[Sequence[Request]], list[Outcome]]
    decode: Callable[[Body], object]
    rows: bool
    max_size: int
    is_async: bool = False
    replaced: Mapping[str, str] = field(default_factory=dict)
    sample: Mapping[str, object] | None = None
    merging: Merging | None = None
    alone: str = ""
    wants_context: bool = False
    probe: object = None
    models: list[LoadedModel] = field(default_factory=list)
    name: str = ""
    halved: deque[str] = field(default_factory=lambda: deque(maxlen=1))


def load(directory: Path, name: str = "score.py", options: ResultOptions | None = None) -> Script:
    """Import the scoring script of a directory: it is the working directory and on the import path.

    Without a script the built-in one serves the bare ``model.onnx``. The options say how results become bodies.

    Raises:
        ScriptError: there is neither script nor model, the script does not import, or run() is missing or unfit.
    """
    directory = directory.resolve()
    path, built_in = _enter(directory, name)
    models = new_registry()
    stand_ins = StandIns(directory)
    stand_ins.install()
    forget_rawhttp()
    refuse_foreign(path, has_schema=(directory / FILE).is_file())
    tolerate_signals()
    current_loop()
    init, run = _import(path, directory, stand_ins)
    run = with_service_schema(run, directory)
    answering = Answering(run, directory, options or ResultOptions())
    kind = choose_kind(read_run(run, path), answering, current(Options).merge)
    return Script(
        built_in or kind.kind,
        path,
        lambda: _init(init, directory),
        kind.score,
        kind.decode,
        rows=kind.rows,
        max_size=kind.max_size,
        is_async=inspect.iscoroutinefunction(inspect.unwrap(run)),
        replaced=stand_ins.replaced,
        sample=schema_sample(run),
        merging=kind.merging,
        alone=kind.alone,
        wants_context=kind.wants_context,
        probe=_probe(directory, kind.decode, rows=kind.rows),
        models=models,
        name="" if built_in else name,
        halved=kind.halved,
    )


def choose_kind(run: RunFunction, answering: Answering, merge_mode: str = "off") -> Batched | OneAtATime:
    """Say what kind a run() is, by its decorators and its first parameter; see Merging for the mode.

    The rules are those of azureml-inference-server-http 1.5.1 (`server/user_script.py`, `_analyze_run`), and ours for
    batches.

    Raises:
        ScriptError: it is of two kinds, or has a parameter that no message fills.
    """
    schema, raw, batches = has_schema(run.function), wants_rawhttp(run.function), batch_options(run.function)
    marks = {"@batched": batches, "@rawhttp": raw, "@input_schema": schema}
    if len(both := [name for name, is_there in marks.items() if is_there][-2:]) > 1:
        raise ScriptError(f"{run.where} has both {' and '.join(both)}: remove one of them")
    if schema:
        return Schema(run, answering, merge_mode)
    if raw:
        from .kinds.rawhttp import RawHttp  # noqa: PLC0415 - werkzeug, for such a script only

        return RawHttp(run, answering, merge_mode)
    if batches or run.name == "mini_batch":
        return Batched(run, answering)
    return Classic(run, answering, merge_mode)


def _probe(directory: Path, decode: Callable[[Body], object], *, rows: bool) -> object:
    try:
        request = decode(Body((directory / SAMPLE).read_bytes(), "application/json"))
        return request if not rows else (rows_of(request) or [request])[0]
    except (OSError, ScoringError):
        return None


def _enter(directory: Path, name: str) -> tuple[Path, Kind | None]:
    """Find the script, and say of which kind it is if it is a built-in one, for a bare model.

    The directory becomes the working directory; it and the script's own folder are searched for imports first.
    """
    for package in ("module", "scoring"):
        for shadow in (directory / package / "__init__.py", directory / f"{package}.py"):
            if shadow.exists():
                raise ScriptError(f"rename {shadow}: the runtime's own package is called {package}")
    set_model_dir(directory)
    path = directory / name
    built_in: Kind | None = None
    if not os.path.isfile(path):  # Path's own raises where the name is too long
        folder = find_mlflow(directory)
        models = os.environ.get(VARIABLE)
        has_model = any(directory.glob("*.onnx")) or (models is not None and any(Path(models).rglob("*.onnx")))
        if name != "score.py":
            near = meant(name, [each.name for each in directory.glob("*.py")])
            raise ScriptError(f"SCORING_SCRIPT is {name[:200]!r}, and there is no such file in {directory}{near}")
        if not (folder or has_model):
            pickles = (each for form in ("*.pkl", "*.pickle", "*.joblib") for each in directory.glob(form))
            found = next(pickles, None)
            made = f" (scoring-module init NEW --from {found} writes a script)" if found else ""
            where = f"there is no {name}, no model.onnx and no MLmodel in {directory}"
            raise ScriptError(f"{where}: put one there or set SCORING_DIR{made}")
        built_in = "mlflow" if folder is not None and "onnx" not in folder.flavors else "onnx"
        path = Path(__file__).with_name("onnx_script.py" if folder is None else "mlflow_script.py")
    os.chdir(directory)
    os.environ["AML_APP_ROOT"] = str(directory)
    if not built_in:
        os.environ["AZUREML_ENTRY_SCRIPT"] = name
    for place in {} if built_in else {str(path.parent): None, str(directory): None}:
        if place not in sys.path:
            sys.path.insert(0, place)
    return path, built_in


def _import(path: Path, directory: Path, stand_ins: StandIns) -> tuple[Callable[[], object], Callable[..., object]]:
    """Run the script's file, and give its init() and run()."""
    # A name of its own each time: inference_schema keeps global state by module name.
    spec = importlib.util.spec_from_file_location(f"scoring_script_{next(_serial)}", path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path} is not a Python file: set SCORING_SCRIPT to the file that has init() and run()")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        put_back(directory, stand_ins.say_put_back)
        spec.loader.exec_module(module)
        follow_our_log()
    except (Exception, SystemExit) as error:
        sentence = f"the scoring script does not import: {blame(error, directory)}{_hint(error, directory)}"
        raise ScriptError(sentence, own_traceback(error, directory)) from error
    # Generated driver scripts hide the script that they wrap here, and pass its arguments on in the wrong way.
    inner = getattr(module, "driver_module", None)
    run, init = getattr(inner, "run", None) or getattr(module, "run", None), getattr(module, "init", None)
    if not callable(run):
        raise ScriptError(f"{path.name} has no function run(): add def run(raw_data) or @batched def run(requests)")
    if not callable(init):
        raise ScriptError(f"{path.name} has no function init(): add def init() that loads the model")
    return init, run


def _init(init: Callable[[], object], directory: Path) -> None:
    try:
        settle(init())
        current_loop()  # asyncio.run() leaves none
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        sentence = f"init() of the scoring script failed: {blame(error, directory)}{_hint(error, directory)}"
        raise ScriptError(sentence, own_traceback(error, directory)) from error


def _hint(error: BaseException, directory: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
        return " (ONNX Runtime: pip install 'iotedge-scoring-module[cpu]', or [gpu])"
    if libraries := not_here(error, directory):
        what = f"not here: {', '.join(libraries[:8])}"
        library = "a library is installed here by pip and named in myenv.yml"
        return f" ({what}; {library}, a file of yours lies in the scoring directory)"
    missing = unset(error, directory)
    if missing == [VARIABLE]:
        return f" ({VARIABLE} is not set: set it to the model's folder)"
    why = "; a device has no managed identity" if any(name.startswith(_IDENTITY) for name in missing) else ""
    return f" ({' and '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} not set{why})" if missing else ""
