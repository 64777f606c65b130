"""A batch that fails is halved until only the requests that cause it are left; their neighbours are scored."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import RequestError, RunError, ScoringError, TransientError
from .plain_values import frame_records
from .predictions import Outcome
from .traces import blame, own_traceback
from .transient import is_transient

Run = Callable[[list[object]], object]

_NO_LIST = (str, bytes, dict, set, frozenset)

WHOLE = 2
"""Batches in a row that fail whole for a transient reason, after which halving them is given up until one succeeds."""


class BatchScorer:
    """Scores batch after batch; knows when it is not the requests that are at fault."""

    def __init__(self, run: Run, directory: Path, *, bisect: bool) -> None:
        self._run, self._directory, self._bisect = run, directory, bisect
        self._failed_whole = 0

    def score(self, requests: Sequence[object]) -> list[Outcome]:
        """Give an outcome for each of the first requests; see until_transient."""
        patient = self._failed_whole >= WHOLE
        outcomes = score_batch(self._run, requests, self._directory, bisect=self._bisect, patient=patient)
        has_failed = all(isinstance(outcome, TransientError) for outcome in outcomes)
        self._failed_whole = self._failed_whole + 1 if has_failed else 0
        return until_transient(outcomes)


def until_transient(outcomes: list[Outcome]) -> list[Outcome]:
    """Give the outcomes up to the first transient failure, that one included: what follows it is scored again."""
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, TransientError):
            return outcomes[: index + 1]
    return outcomes


def score_batch(
    run: Run, requests: Sequence[object], directory: Path, *, bisect: bool = True, patient: bool = False
) -> list[Outcome]:
    """Call run(requests) and give one outcome per request, same order; never raises.

    Args:
        run: the user's function.
        requests: at least one.
        directory: where the user's files lie, for errors that name their lines.
        bisect: False calls run() once only: every request of a failing batch gets its error.
        patient: True does not halve a batch that fails for a transient reason.
    """
    try:
        return _checked(run(list(requests)), len(requests))
    except BaseException as raised:  # SystemExit and CancelledError too: a batch without an answer would wait for ever
        error = raised if isinstance(raised, ScoringError) else as_run_error(raised, directory)
    if not bisect or len(requests) == 1 or (patient and isinstance(error, TransientError)):
        return [error] * len(requests)
    middle = len(requests) // 2
    return score_batch(run, requests[:middle], directory) + score_batch(run, requests[middle:], directory)


def as_run_error(error: BaseException, directory: Path) -> ScoringError:
    """Give what run() raised as a failure with one sentence and the user's own frames."""
    if isinstance(error, RequestError):
        return error
    kind = TransientError if is_transient(error) else RunError
    return kind(f"run() failed: {blame(error, directory)}", own_traceback(error, directory))


def _checked(predictions: object, expected: int) -> list[Outcome]:
    if (rows := frame_records(predictions)) is not None:
        predictions = rows
    if isinstance(predictions, _NO_LIST) or not isinstance(predictions, Iterable):
        raise RunError(f"run() gave {_a(predictions)}: expected a list of {expected} predictions, one per request")
    outcomes = list(predictions)
    if len(outcomes) != expected:
        raise RunError(f"run() gave {len(outcomes)} predictions for {expected} requests: expected one per request")
    return outcomes


def _a(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
