"""The batched kind, ``@batched def run(requests)`` or ``def run(mini_batch)``: decoded requests, a prediction each.

The built-in script of a bare model is of it too.
"""

from collections.abc import Sequence
from typing import ClassVar

from ...batch import BatchOptions, batch_options
from ...bodies.codecs import decode
from ...errors import RequestError, ScoringError, ScriptError, TransientError
from ...predictions import Outcome, Request
from ..answering import Answering
from .bisection import one_each, score_batch, until_transient
from .run_function import HEADERS, Kind, RunFunction, contexts_of, values_of

CONTEXTS = "contexts"
"""The parameter, other than the first, that gets a list of what the requests came with."""

PATIENT_AFTER = 2
"""Batches in a row that fail whole for a transient reason, after which halving them is given up until one succeeds."""


class Batched:
    """A script whose run() gets lists of requests; knows when it is not the requests that are at fault.

    Attributes:
        run: as the script has it.
        max_size: requests in one call at most.
    """

    kind: ClassVar[Kind] = "batched"
    rows: ClassVar[bool] = True
    merging = None
    decode = staticmethod(decode)

    def __init__(self, run: RunFunction, answering: Answering) -> None:
        """Take run(), and what makes outcomes of what it gives or raises.

        Raises:
            ScriptError: run() has a parameter that no message fills.
        """
        if run.headers and run.headers.default is run.headers.empty:
            raise ScriptError(f"{run.where} gets lists, and has {HEADERS}, which are of one: take contexts instead")
        self.run, self._answering = run.taking_context(CONTEXTS), answering
        options = batch_options(run.function) or BatchOptions()
        self.max_size, self._bisect, self._check = options.max_size, options.bisect, options.check
        self._failed_whole = 0

    def score(self, requests: Sequence[Request]) -> list[Outcome]:
        """Give an outcome for each of the first requests, at least for one; never raises. See until_transient."""
        if self._check is None:
            return self._score_batch(requests)
        errors: list[ScoringError | None] = []
        for request in requests:
            errors.append(self._refused(request))
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

    def _refused(self, request: Request) -> ScoringError | None:
        """Ask the script's check of a request: run() sees only what passes."""
        assert self._check is not None  # noqa: S101 - asked only where there is one
        try:
            passes = self.run.awaiting.settle(self._check(request.value))
            return None if passes is None or passes else RequestError("it does not pass the script's check")
        except BaseException as raised:
            return self._answering.error(raised, "check()")

    def _score_batch(self, requests: Sequence[Request]) -> list[Outcome]:
        patient = self._failed_whole >= PATIENT_AFTER
        outcomes = score_batch(self._call, requests, bisect=self._bisect, patient=patient)
        has_failed = all(isinstance(outcome, TransientError) for outcome in outcomes)
        self._failed_whole = self._failed_whole + 1 if has_failed else 0
        return until_transient(outcomes)

    def _call(self, requests: Sequence[Request]) -> list[Outcome]:
        """Call run() once and encode its results; raises ScoringError: why the call failed as a whole."""
        try:
            values, contexts = values_of(requests), contexts_of(requests)
            more = {self.run.context: contexts} if self.run.context else {}
            predictions = one_each(self.run.awaiting.settle(self.run.function(values, **more)), len(requests))
            # Each at once, before the next one is asked for: a generator may fill the same object again.
            outcome = self._answering.outcome
            return [outcome(each, is_row=request.is_row) for each, request in zip(predictions, requests, strict=True)]
        except BaseException as raised:  # SystemExit and CancelledError too: nobody else would answer
            raise self._answering.error(raised) from None
