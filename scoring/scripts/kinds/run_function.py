"""Which kind of run() does a score.py have? Decided once, when it is loaded.

The rules are those of azureml-inference-server-http 1.5.1 (`server/user_script.py`, `_analyze_run`), and ours for
batches.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Literal

from ..batch import BatchOptions
from ..compat.rawhttp import wants_rawhttp
from ..compat.schemas import has_schema
from ..errors import ScriptError

Kind = Literal["batched", "classic", "schema", "rawhttp", "onnx"]

HEADERS = "request_headers"
"""The parameter that gets what the sender said besides the body."""

CONTEXT, CONTEXTS = "context", "contexts"
"""The parameter, other than the first, that gets what a request came with; a batched run() gets a list of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A script's two functions, and how run() wants to be called.

    Attributes:
        kind: see Script.
        init, run: as the script has them.
        parameters: of run(), without ``request_headers`` and the context.
        headers: whether run() has ``request_headers``.
        context: the name of the parameter for the context; empty if run() has none.
        options: how large a batch may be; for kind ``batched``.
    """

    kind: Kind
    init: Callable[[], object]
    run: Callable[..., object]
    parameters: tuple[inspect.Parameter, ...]
    headers: bool
    context: str
    options: BatchOptions


def entry_of(module: ModuleType, path: Path) -> Entry:
    """Find init() and run() in a loaded script and say what kind of run() it is.

    Raises:
        ScriptError: one is missing, or run() has parameters that no message can fill.
    """
    # Generated driver scripts hide the script that they wrap here, and pass its arguments on in the wrong way.
    inner = getattr(module, "driver_module", None)
    run, init = getattr(inner, "run", None) or getattr(module, "run", None), getattr(module, "init", None)
    if not callable(run):
        raise ScriptError(f"{path.name} has no function run(): add def run(raw_data) or @batched def run(requests)")
    if not callable(init):
        raise ScriptError(f"{path.name} has no function init(): add def init() that loads the model")
    where = _where(run, path)
    everything = _parameters(run, where)
    parameters = tuple(parameter for parameter in everything if parameter.name != HEADERS)
    has_headers = len(parameters) < len(everything)
    if not parameters:
        raise ScriptError(f"{where} takes no parameter: add one for the message, as in def run(raw_data)")
    options = getattr(run, "__scoring_batched__", None)
    kind = _kind(run, options, parameters, where)
    context = {"batched": CONTEXTS, "schema": ""}.get(kind, CONTEXT)  # with a schema every name is a field's
    context = context if any(parameter.name == context for parameter in parameters[1:]) else ""
    parameters = tuple(parameter for parameter in parameters if not context or parameter.name != context)
    if kind != "schema":
        _refuse_unfilled(parameters[1:], where)
    return Entry(kind, init, run, parameters, has_headers, context, options or BatchOptions())


def _kind(run: Callable[..., object], options: object, parameters: tuple[inspect.Parameter, ...], where: str) -> Kind:
    schema, raw = has_schema(run), wants_rawhttp(run)
    if schema and raw:
        raise ScriptError(f"{where} has both @rawhttp and @input_schema: remove one of them")
    if options is not None and (schema or raw):
        raise ScriptError(f"{where} has both @batched and {'@rawhttp' if raw else '@input_schema'}: remove one of them")
    if schema:
        return "schema"
    if raw:
        return "rawhttp"
    return "batched" if options is not None or parameters[0].name == "mini_batch" else "classic"


def _where(run: Callable[..., object], path: Path) -> str:
    function = inspect.unwrap(run)
    if not isinstance(function, FunctionType):
        return f"{path.name}: run()"
    code = function.__code__
    return f"{Path(code.co_filename).name} line {code.co_firstlineno}: run()"


def _parameters(run: Callable[..., object], where: str) -> tuple[inspect.Parameter, ...]:
    parameters = tuple(inspect.signature(run).parameters.values())
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise ScriptError(f"{where} must name its parameters: *args and **kwargs cannot be filled from a message")
    if any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        raise ScriptError(f"{where} must take its parameters by name: remove the / from its parameters")
    return parameters


def _refuse_unfilled(parameters: tuple[inspect.Parameter, ...], where: str) -> None:
    for parameter in parameters:
        if parameter.default is parameter.empty:
            raise ScriptError(f"{where} has the parameter {parameter.name}, which no message fills: give it a default")
