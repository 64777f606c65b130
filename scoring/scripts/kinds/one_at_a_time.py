"""What the classic, schema and rawhttp kinds have in common: run() gets one request a call, by name."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import ClassVar

from ...batch import BatchOptions
from ...bodies.codecs import Body
from ...errors import ScoringError, TransientError
from ...merging.comparison import Scoring
from ...merging.merge_policy import Merging
from ...merging.reading.calls import what_stands_against
from ...predictions import Context, Outcome, Request
from ..answering import Answering
from .run_function import HEADERS, Kind, RunFunction, contexts_of, values_of

TURN = 0.005
"""Seconds after which a script that takes one request at a time lets the answered ones go."""


class OneAtATime(ABC):
    """A script whose run() gets one request a call.

    Attributes:
        takes_context: whether run() may have a parameter for the context.
        merges: whether requests may share calls where that is found harmless.
        is_text: whether a request is a text; other ones are objects that run() may change.
        run: as the script has it.
        max_size: requests in one score() at most.
        merging: decides whether requests share calls; None where they never do.
    """

    kind: ClassVar[Kind]
    rows: ClassVar[bool] = False
    max_size: ClassVar[int] = BatchOptions().max_size
    takes_context: ClassVar[bool] = True
    merges: ClassVar[bool] = True
    is_text: ClassVar[bool] = False

    def __init__(self, run: RunFunction, answering: Answering, merge_mode: str) -> None:
        """Take run(), what makes outcomes of what it gives or raises, and the mode; see Merging.

        Raises:
            ScriptError: run() has a parameter that no message fills.
        """
        self.run = run.taking_context("context") if self.takes_context else run
        self.answering = answering
        self.merging: Merging | None = None
        if self.merges and not (self.run.headers or self.run.context):  # those with one of them are each their own
            own: Callable[[object], object] = (lambda value: value) if self.is_text else deepcopy
            scoring = Scoring(
                lambda value: self._call(own(value)),
                answering.outcome,
                lambda values: self._one_by_one([Request(own(value)) for value in values]),
            )
            read = partial(what_stands_against, run.function, text=self.is_text)
            self.merging = Merging(merge_mode, read, scoring)

    @abstractmethod
    def decode(self, body: Body) -> object:
        """Make a request of a body: run()'s arguments by name, or the only one. Runs outside the scoring thread.

        Raises:
            RequestError: the body is not what it says, or not what run() takes.
        """

    def error(self, raised: BaseException) -> ScoringError:
        """Give what a call raised as the failure that its request is answered with."""
        return self.answering.error(raised)

    def score(self, requests: Sequence[Request]) -> list[Outcome]:
        """Give an outcome for each of the first requests, at least for one; never raises."""
        merged = None if self.merging is None else self.merging.score([request.value for request in requests])
        return self._one_by_one(requests) if merged is None else merged

    def headers_of(self, body: Body) -> dict[str, object]:
        """Give the argument that tells what the sender said besides the body, if run() has a parameter for it."""
        if not self.run.headers:
            return {}
        return {HEADERS: {"Content-Type": body.content_type or "application/json", **body.headers}}

    def _one_by_one(self, requests: Sequence[Request]) -> list[Outcome]:
        """Call run() once per request, and return after a turn's time."""
        outcomes: list[Outcome] = []
        end = time.perf_counter() + TURN
        for request in requests:
            try:
                (value,) = values_of((request,))
                result = self._call(value, *contexts_of((request,)))
            except BaseException as error:  # SystemExit and CancelledError too
                outcomes.append(self.error(error))
            else:
                outcomes.append(self.answering.outcome(result))
            if time.perf_counter() > end or isinstance(outcomes[-1], TransientError):
                break
        return outcomes

    def _call(self, request: object, context: Context | None = None) -> object:
        arguments = request if isinstance(request, dict) else {self.run.name: request}
        if self.run.context:
            arguments = {**arguments, self.run.context: context or Context()}
        return self.run.awaiting.settle(self.run.function(**arguments))
