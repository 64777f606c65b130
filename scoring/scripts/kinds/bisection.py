"""A batch that fails is halved until only the requests that cause it are left; their neighbours are scored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized

from ...bodies.plain_values import frame_records
from ...errors import ScoringError, TransientError, WrongNumberError
from ...predictions import Outcome, Request

ScoreWhole = Callable[[Sequence[Request]], list[Outcome]]
"""One call of run(), its results encoded; raises only ScoringError: why the call failed as a whole."""

_NO_LIST = (str, bytes, bytearray, memoryview, Mapping, set, frozenset)


def until_transient(outcomes: list[Outcome]) -> list[Outcome]:
    """Give the outcomes up to the first transient failure, that one included: what follows it is scored again."""
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, TransientError):
            return outcomes[: index + 1]
    return outcomes


def score_batch(
    score: ScoreWhole, requests: Sequence[Request], *, bisect: bool = True, patient: bool = False
) -> list[Outcome]:
    """Score a batch and give one outcome per request, same order; never raises.

    Args:
        score: one call of run().
        requests: at least one.
        bisect: False makes one call only: every request of a failing batch gets its error.
        patient: True does not halve a batch that fails for a transient reason.
    """
    try:
        return score(requests)
    except ScoringError as raised:
        error = raised
    if not bisect or len(requests) == 1 or (patient and isinstance(error, TransientError)):
        return [error] * len(requests)
    # Of a wrong number nothing can be believed but calls of one: halves might have the right one by chance.
    size = 1 if isinstance(error, WrongNumberError) else len(requests) // 2
    cuts = [requests[:size], requests[size:]] if size > 1 else [requests[at : at + 1] for at in range(len(requests))]
    return [outcome for part in cuts for outcome in score_batch(score, part)]


def one_each(predictions: object, expected: int) -> Iterator[object]:
    """Give the predictions of a batch, one per request, in the order in which they are made.

    Raises:
        WrongNumberError: it is no list, which is found out before the first, or has another number of them.
    """
    if (rows := frame_records(predictions)) is not None:
        predictions = rows
    if isinstance(predictions, _NO_LIST) or not isinstance(predictions, Iterable):
        what = "None" if predictions is None else f"a value of type {type(predictions).__name__}"
        raise WrongNumberError(f"run() gave {what}: expected a list of {expected} predictions, one per request")
    length = len(predictions) if isinstance(predictions, Sized) else None  # of a generator it is known at its end
    count = 0
    if length in (None, expected):
        for count, prediction in enumerate(predictions, 1):
            if count > expected:
                break
            yield prediction
    number = count if length is None else length
    if number != expected:
        what = f"more than {expected}" if length is None and count > expected else str(number)
        raise WrongNumberError(f"run() gave {what} predictions for {expected} requests: expected one per request")
