"""Which kind of run() does a score.py have? Decided once, when it is loaded.

The rules are those of azureml-inference-server-http 1.5.1 (`server/user_script.py`, `_analyze_run`), and ours for
batches.
"""

from ...batch import batch_options
from ...compat.decorators import has_schema, wants_rawhttp
from ...errors import ScriptError
from ..answering import Answering
from .batched import Batched
from .classic import Classic
from .one_at_a_time import OneAtATime
from .run_function import RunFunction
from .schema import Schema


def choose_kind(run: RunFunction, answering: Answering, merge_mode: str = "off") -> Batched | OneAtATime:
    """Say what kind a run() is, by its decorators and its first parameter; see Merging for the mode.

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
        from .rawhttp import RawHttp  # noqa: PLC0415 - werkzeug, for such a script only

        return RawHttp(run, answering, merge_mode)
    if batches or run.name == "mini_batch":
        return Batched(run, answering)
    return Classic(run, answering, merge_mode)
