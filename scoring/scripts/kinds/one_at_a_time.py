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
from .run_function import Kind, RunFunction, contexts_of, settle, values_of

TURN = 0.005
"""Seconds after which a script that takes one request at a time lets the answered ones go."""


class OneAtATime(ABC):
    """A script whose run() gets one request a call.

    Attributes:
        wants_context: whether run() is told what its requests came with.
        is_text: whether a request is a text; other ones are objects that run() may change.
        run: as the script has it.
        max_size: requests in one score() at most.
        merging: decides whether requests share calls; None where they never do.
        alone: why they never do; empty where they may.
    """

    kind: ClassVar[Kind]
    rows: ClassVar[bool] = False
    max_size: ClassVar[int] = BatchOptions().max_size
    alone: str = ""
    is_text: ClassVar[bool] = False

    def __init__(self, run: RunFunction, answering: Answering, merge_mode: str) -> None:
        """Take run(), what makes outcomes of what it gives or raises, and the mode; see Merging.

        Raises:
            ScriptError: run() has a parameter that no message fills.
        """
        self.run, self.answering = self._filled(run), answering
        self.merging: Merging | None = None
        told = " and ".join(self.run.told(()))  # what a request came with is its own
        self.alone = f"run() has {told}, which is of one message" if told else self.alone
        if not self.alone:
            own: Callable[[object], object] = (lambda value: value) if self.is_text else deepcopy
            scoring = Scoring(
                lambda value: self._call(own(value)),
                answering.outcome,
                lambda values: self._one_by_one([Request(own(value)) for value in values]),
            )
            read = partial(what_stands_against, run.function, text=self.is_text)
            self.merging = Merging(merge_mode, read, scoring)

    @property
    def wants_context(self) -> bool:
        """Whether run() is told what its requests came with."""
        return self.run.wants_context

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

    def _filled(self, run: RunFunction) -> RunFunction:
        return run.taking_context("context").filled_by_one()

    def _one_by_one(self, requests: Sequence[Request]) -> list[Outcome]:
        """Call run() once per request, and return after a turn's time."""
        outcomes: list[Outcome] = []
        end = time.perf_counter() + TURN
        for request in requests:
            try:
                (value,) = values_of((request,))
                result = self._call(value, contexts_of((request,)))
            except BaseException as error:  # SystemExit and CancelledError too
                outcomes.append(self.error(error))
            else:
                outcomes.append(self.answering.outcome(result))
            if time.perf_counter() > end or isinstance(outcomes[-1], TransientError):
                break
        return outcomes

    def _call(self, request: object, contexts: Sequence[Context] = ()) -> object:
        arguments = request if isinstance(request, dict) else {self.run.name: request}
        if contexts:
            arguments = {**{name: of_one for name, (of_one,) in self.run.told(contexts).items()}, **arguments}
        return settle(self.run.function(**arguments))
