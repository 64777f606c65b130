"""Gathers requests into batches and runs them on the scoring thread, one batch after another, in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .batch import BatchLimits, ready_in
from .predictions import Outcome
from .scoring_thread import ScoringThread
from .script import Script


@dataclass(slots=True)
class _Group:
    """The requests that are answered together: those of one message."""

    answer: asyncio.Future[list[Outcome]]
    missing: int
    outcomes: list[Outcome] = field(default_factory=list)


class Batcher:
    """Takes requests, gives outcomes; groups are answered in the order in which they were submitted.

    While a batch runs the next one fills. A group longer than a batch is split over several and rejoined.
    """

    def __init__(
        self,
        script: Script,
        thread: ScoringThread,
        limits: BatchLimits,
        observe: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        """Take the parts; ``observe(batch size, seconds on the scoring thread)`` is told of every batch."""
        self._script = script
        self._thread = thread
        self._limits = limits
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[object, _Group]] = deque()
        self._oldest = 0.0
        self._running: list[tuple[object, _Group]] = []
        self._started = 0.0
        self._timer: asyncio.Handle | None = None

    @property
    def max_size(self) -> int:
        """How many requests one batch holds at most."""
        return self._limits.max_size

    @property
    def waiting(self) -> int:
        """How many requests wait for a batch."""
        return len(self._waiting)

    def submit(self, requests: Sequence[object]) -> asyncio.Future[list[Outcome]]:
        """Queue the requests of one message; the future gets one outcome per request, same order.

        The batch starts in the loop's next turn, so that everything submitted in this one can be part of it.
        """
        group = _Group(self._loop.create_future(), len(requests))
        if not requests:
            group.answer.set_result([])
            return group.answer
        if not self._waiting:
            self._oldest = self._loop.time()
        self._waiting.extend((request, group) for request in requests)
        if not self._running:
            self._wake()
        return group.answer

    def _wake(self) -> None:
        """Start a batch in the loop's next turn, unless a timer already waits for a fuller one."""
        if self._timer is not None:
            if len(self._waiting) < self._limits.max_size:
                return
            self._timer.cancel()
        self._timer = self._loop.call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._timer = None
        now = self._loop.time()
        delay = ready_in(len(self._waiting), now - self._oldest, self._limits)
        if delay is None:
            return
        if delay > 0:
            self._timer = self._loop.call_later(delay, self._start_batch)
            return
        size = min(len(self._waiting), self._limits.max_size)
        self._running = [self._waiting.popleft() for _ in range(size)]
        self._oldest = self._started = now
        scored = self._thread.call(self._script.score, [request for request, _ in self._running])
        scored.add_done_callback(self._finish_batch)

    def _finish_batch(self, scored: asyncio.Future[list[Outcome]]) -> None:
        running, self._running = self._running, []
        outcomes = scored.result()  # score() never raises
        self._observe(len(outcomes), self._loop.time() - self._started)
        # A script that takes one request after another may answer only the first few: the rest stays first in line.
        self._waiting.extendleft(reversed(running[len(outcomes) :]))
        self._start_batch()
        for (_, group), outcome in zip(running, outcomes, strict=False):
            group.outcomes.append(outcome)
            group.missing -= 1
            if group.missing == 0 and not group.answer.cancelled():
                group.answer.set_result(group.outcomes)
