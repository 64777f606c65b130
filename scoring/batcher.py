"""Gathers requests into batches and runs them on the scoring thread, one batch after another, in order."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

from .batch import BatchLimits
from .errors import RunError, TransientError
from .patience import SAMPLE, Patience
from .predictions import Context, Outcome, Request
from .scoring_thread import ScoringThread
from .scripts.loading import Script

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """The requests that are answered together: those of one message, which came at ``since``; 0: the sample."""

    answer: asyncio.Future[list[Outcome]]
    missing: int
    since: float
    owner: int
    alone: bool
    outcomes: list[Outcome] = field(default_factory=list)


class Observer(Protocol):
    """Is told of every run(), on the event loop."""

    def started(self, owners: list[int]) -> None:
        """Hear that a batch is about to run, and whose requests are in it."""

    def finished(self, size: int, seconds: float) -> None:
        """Hear that it has returned, with its number of requests and the seconds on the scoring thread."""

    def stalled(self, why: str, pause: float) -> None:
        """Hear that a request failed for a reason outside of it and is tried again in ``pause`` seconds."""


@dataclass(eq=False, repr=False)
class Batcher:
    """Takes requests, gives outcomes; groups are answered in the order in which they were submitted.

    While a batch runs the next one fills. A group longer than a batch is split over several and rejoined.

    Attributes:
        script: to score with.
        thread: where it lives.
        limits: of a batch.
        observer: is told of every run().
        in_place: score on the event loop: for a bare model that takes less time than waking a thread does.
    """

    script: Script
    thread: ScoringThread
    limits: BatchLimits
    observer: Observer
    _: KW_ONLY
    in_place: bool = False

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Request, _Group]] = deque()
        self._running: list[tuple[Request, _Group]] = []
        self._started = 0.0
        self._timer: asyncio.Handle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        limits, has_sample = self.limits, self.script.probe is not None
        self._patience = Patience(limits.tries, has_sample=has_sample, gives_up=limits.gives_up)

    def submit(
        self, requests: Sequence[Request], owner: int = 0, *, alone: bool = False
    ) -> asyncio.Future[list[Outcome]]:
        """Queue the requests of one message; the future gets one outcome per request, same order.

        The batch starts in the loop's next turn, so that everything submitted in this one can be part of it. The
        ``owner`` is what the observer is told; requests that are ``alone`` share no run() with those of another.
        """
        group = _Group(self._loop.create_future(), len(requests), time.monotonic(), owner, alone)
        if not requests:
            group.answer.set_result([])
            return group.answer
        self._waiting.extend((request, group) for request in requests)
        if self._stalled is not None and self._patience.place() is not None:
            self._stalled.cancel()  # the one in the way is out of tries: this one may show whose fault it is
            self._go_on()
        elif not self._running and self._stalled is None:
            self._wake()
        return group.answer

    def _wake(self) -> None:
        """Start a batch in the loop's next turn, unless a timer already waits for a fuller one."""
        if self._timer is not None:
            if len(self._waiting) < self.limits.max_size:
                return
            self._timer.cancel()
        self._timer = self._loop.call_soon(self._start_batch)

    def _start_batch(self) -> None:
        """Start a batch of what waits: at once by default, for a lone request is not delayed for company.

        With a delay only a full one, or one whose oldest request has waited so long; else a timer is set.
        """
        self._timer = None
        if not self._waiting:
            return
        now = time.monotonic()
        delay = self.limits.max_delay - (now - self._waiting[0][1].since)
        if delay > 0 and len(self._waiting) < self.limits.max_size:
            self._timer = self._loop.call_later(delay, self._start_batch)
            return
        self._running = self._next_batch()
        self._started = now
        self.observer.started(list(dict.fromkeys(group.owner for _, group in self._running if group.since)))
        requests = [request for request, _ in self._running]
        if self.in_place:
            try:
                outcomes = self.script.score(requests)
            except Exception as error:
                outcomes = self._failed(error)
            self._finish_batch(outcomes)
        else:
            self.thread.call(self.script.score, requests).add_done_callback(self._scored)

    def _scored(self, scored: asyncio.Future[list[Outcome]]) -> None:
        error = scored.exception()
        self._finish_batch(scored.result() if error is None else self._failed(error))

    def _failed(self, error: BaseException) -> list[Outcome]:
        """Give the outcomes of a batch whose scoring raised, which it never should: its messages must not hang."""
        _log.error("scoring failed after an error of ours: please report this", exc_info=error)
        return [RunError(f"scoring failed: {type(error).__name__}") for _ in self._running]

    def _go_on(self) -> None:
        self._stalled = None
        self._wake()

    def _next_batch(self) -> list[tuple[Request, _Group]]:
        place = self._patience.place()
        if place == SAMPLE and self.script.probe is not None:
            sample = Request(deepcopy(self.script.probe), Context() if self.script.wants_context else None)
            return [(sample, _Group(self._loop.create_future(), 1, 0.0, 0, alone=True))]
        if place is not None:
            lone = self._waiting[place]
            del self._waiting[place]
            return [lone]
        first = self._waiting[0][1]
        batch: list[tuple[Request, _Group]] = []
        while self._waiting and len(batch) < self.limits.max_size:
            group = self._waiting[0][1]
            if group is not first and (group.alone or first.alone):
                break
            batch.append(self._waiting.popleft())
        return batch

    def _finish_batch(self, outcomes: list[Outcome]) -> None:
        place = self._patience.place() or 0  # in line, where the batch was
        running, self._running = self._running, []
        stalled = outcomes.pop() if isinstance(outcomes[-1], TransientError) else None
        if stalled is None:
            self._patience.succeeded()
        elif self._patience.failed(running[len(outcomes)][0], len(self._waiting) + len(running) - len(outcomes)):
            given_up = "given up: see SCORING_TRANSIENT_TRIES" if self.limits.gives_up else ""
            outcomes.append(RunError(f"{stalled} ({given_up or 'each time, while others are scored'})"))
            stalled = None
        self.observer.finished(len(outcomes), time.monotonic() - self._started)
        # A script that takes one request after another may answer only the first few: the rest stays in its place.
        for unanswered in reversed(running[len(outcomes) :]):
            if place != SAMPLE:
                self._waiting.insert(place, unanswered)
        if stalled is None:
            if self._waiting:
                (self._wake if self.in_place else self._start_batch)()
        else:
            self.observer.stalled(str(stalled), self._patience.pause)
            self._stalled = self._loop.call_later(self._patience.pause, self._go_on)
        for (_, group), outcome in zip(running, outcomes, strict=False):
            group.outcomes.append(outcome)
            group.missing -= 1
            if group.missing == 0 and not group.answer.cancelled():
                group.answer.set_result(group.outcomes)
