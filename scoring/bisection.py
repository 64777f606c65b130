"""A batch that fails is halved until only the requests that cause it are left; their neighbours are scored."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import RequestError, RunError, ScoringError
from .predictions import Outcome
from .traces import blame, own_traceback

Run = Callable[[list[object]], object]


def score_batch(run: Run, requests: Sequence[object], directory: Path, *, bisect: bool = True) -> list[Outcome]:
    """Call run(requests) and give one outcome per request, same order; never raises.

    Args:
        run: the user's function.
        requests: at least one.
        directory: where the user's files lie, for errors that name their lines.
        bisect: False calls run() once only: every request of a failing batch gets its error.
    """
    try:
        return _checked(run(list(requests)), len(requests))
    except BaseException as raised:  # SystemExit and CancelledError too: a batch without an answer would wait for ever
        error = raised if isinstance(raised, ScoringError) else as_run_error(raised, directory)
    if not bisect or len(requests) == 1:
        return [error] * len(requests)
    middle = len(requests) // 2
    return score_batch(run, requests[:middle], directory) + score_batch(run, requests[middle:], directory)


def as_run_error(error: BaseException, directory: Path) -> ScoringError:
    """Give what run() raised as a failure with one sentence and the user's own frames."""
    if isinstance(error, RequestError):
        return error
    return RunError(f"run() failed: {blame(error, directory)}", own_traceback(error, directory))


def _checked(predictions: object, expected: int) -> list[Outcome]:
    if isinstance(predictions, str | bytes | dict) or not isinstance(predictions, Iterable):
        raise RunError(f"run() gave {_a(predictions)}: expected a list of {expected} predictions, one per request")
    outcomes = list(predictions)
    if len(outcomes) != expected:
        raise RunError(f"run() gave {len(outcomes)} predictions for {expected} requests: expected one per request")
    return outcomes


def _a(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
