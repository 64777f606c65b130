"""The batched kind, ``@batched def run(requests)`` or ``def run(mini_batch)``: decoded requests, a prediction each.

A batch that fails is halved until only the requests that cause it are left; their neighbours are scored. The built-in
script of a bare model is of this kind too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from inspect import signature
from typing import ClassVar

from ...batch import BatchOptions, batch_options
from ...bodies.codecs import decode
from ...bodies.plain_values import frame_records
from ...errors import RequestError, ScoringError, ScriptError, TransientError, WrongNumberError
from ...predictions import Outcome, Request
from ..answering import Answering
from .run_function import Kind, RunFunction, contexts_of, settle, values_of

PATIENT_AFTER = 2
"""Batches in a row that fail whole for a transient reason, after which halving them is given up until one succeeds."""

_NO_LIST = (str, bytes, bytearray, memoryview, Mapping, set, frozenset)


class Batched:
    """A script whose run() gets lists of requests; knows when it is not the requests that are at fault.

    Attributes:
        run: as the script has it.
        wants_context: whether it is told what its requests came with.
        max_size: requests in one call at most.
    """

    kind: ClassVar[Kind] = "batched"
    rows: ClassVar[bool] = True
    merging = None
    alone: ClassVar[str] = ""
    decode = staticmethod(decode)

    def __init__(self, run: RunFunction, answering: Answering) -> None:
        """Take run(), and what makes outcomes of what it gives or raises.

        Raises:
            ScriptError: run(), or the check of ``@batched``, has a parameter that no message fills.
        """
        self.run, self._answering = run.taking_context("contexts").filled_by_one(), answering
        self.wants_context = self.run.wants_context
        options = batch_options(run.function) or BatchOptions()
        self.max_size, self._bisect, self._check = options.max_size, options.bisect, options.check
        self._failed_whole = 0
        try:
            if self._check is not None:
                signature(self._check).bind(None)
        except TypeError as error:
            raise ScriptError(f"{run.where} has @batched(check=…), which must take one request: {error}") from None
        except ValueError:  # some of C's say nothing of their parameters
            pass

    def score(self, requests: Sequence[Request]) -> list[Outcome]:
        """Give an outcome for each of the first requests, at least for one; never raises.

        What follows the first transient failure is scored again.
        """
        if self._check is None:
            return self._score_batch(requests)
        errors: list[ScoringError | None] = []  # of the script's check: run() sees only what passes
        for request in requests:
            try:
                passes = settle(self._check(request.value))
                is_good = passes is None or passes
                errors.append(None if is_good else RequestError("it does not pass the script's check"))
            except BaseException as raised:
                errors.append(self._answering.error(raised, "check()"))
            if isinstance(errors[-1], TransientError):
                break
        passed = [request for request, error in zip(requests, errors, strict=False) if error is None]
        scored = iter(self._score_batch(passed) if passed else ())
        outcomes: list[Outcome] = []
        for error in errors:
            outcomes.append(next(scored) if error is None else error)
            if isinstance(outcomes[-1], TransientError):
                break
        return outcomes

    def _score_batch(self, requests: Sequence[Request]) -> list[Outcome]:
        """Give the outcomes up to the first transient failure, that one included."""
        outcomes = self._bisected(requests, patient=self._failed_whole >= PATIENT_AFTER)
        transient = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, TransientError)]
        self._failed_whole = self._failed_whole + 1 if len(transient) == len(outcomes) else 0
        return outcomes[: transient[0] + 1] if transient else outcomes

    def _bisected(self, requests: Sequence[Request], *, patient: bool = False) -> list[Outcome]:
        """Score at least one request and give an outcome for each, in the same order; never raises.

        A script that is not to be bisected has every request of a failing batch get its error; ``patient`` does not
        halve a batch that fails for a transient reason.
        """
        try:
            return self._call(requests)
        except ScoringError as raised:
            error = raised
        if not self._bisect or len(requests) == 1 or (patient and isinstance(error, TransientError)):
            return [error] * len(requests)
        # Of a wrong number nothing can be believed but calls of one: halves might have the right one by chance.
        size = 1 if isinstance(error, WrongNumberError) else len(requests) // 2
        halves = [requests[:size], requests[size:]]
        cuts = halves if size > 1 else [requests[at : at + 1] for at in range(len(requests))]
        return [outcome for part in cuts for outcome in self._bisected(part)]

    def _call(self, requests: Sequence[Request]) -> list[Outcome]:
        """Call run() once and encode its results; raises ScoringError: why the call failed as a whole."""
        try:
            values, contexts = values_of(requests), contexts_of(requests)
            told = self.run.told(contexts) if contexts else {}
            result = settle(self.run.function(**{self.run.name: values}, **told))
            predictions = one_each(result, len(requests))
            # Each at once, before the next one is asked for: a generator may fill the same object again.
            outcome = self._answering.outcome
            return [outcome(each, is_row=request.is_row) for each, request in zip(predictions, requests, strict=True)]
        except BaseException as raised:  # SystemExit and CancelledError too: nobody else would answer
            raise self._answering.error(raised) from None


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
