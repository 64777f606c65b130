"""The sessions of one setup: runs calls on them, as many at a time as the setup has streams.

On the CPU the streams share a session: calls from several threads run beside each other in it, as fast as in sessions
of their own, and the weights are there once. On a GPU each stream has its own: in one, the copies do not overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

import onnxruntime

from .plan import CPU, Setup
from .providers import open_session

Feeds = Mapping[str, Any]
"""What a session takes, by input name."""

FeedsMaker = Callable[[], Feeds]
"""Gives the feeds of a call when it is about to run: one stream stacks its rows while another runs."""

SessionRun = Callable[[onnxruntime.InferenceSession, Feeds], list[Any]]
"""Runs a session once; gives its outputs."""


class Sessions:
    """A model's sessions for one setup."""

    def __init__(self, model: Path, setup: Setup, options: Mapping[str, object], run: SessionRun) -> None:
        """Open them.

        Args:
            model: the file.
            setup: how to run it.
            options: of the provider.
            run: runs a session once.

        Raises:
            UnusableError, ModelError: it cannot be opened.
        """
        self.setup = setup
        self._model, self._options, self._run = model, options, run
        self._open = [open_session(model, setup, options)]
        self._threads: ThreadPoolExecutor | None = None
        self.widen(setup.streams)

    @property
    def first(self) -> onnxruntime.InferenceSession:
        """The session that says what the model takes and gives."""
        return self._open[0]

    def widen(self, streams: int) -> None:
        """Change the number of streams; opens and closes sessions as needed."""
        self.setup = Setup(self.setup.provider, self.setup.threads, streams)
        if self.setup.provider != CPU:
            del self._open[streams:]
            while len(self._open) < streams:
                self._open.append(open_session(self._model, self.setup, self._options))
        if self._threads is not None:
            self._threads.shutdown()
        self._threads = ThreadPoolExecutor(streams - 1, "stream") if streams > 1 else None

    def run(self, calls: Sequence[FeedsMaker]) -> list[list[Any]]:
        """Run calls, each stream an even share of them; gives their outputs in order."""
        if self._threads is None or len(calls) == 1:
            return [self._run(self.first, feeds()) for feeds in calls]
        share = ceil(len(calls) / self.setup.streams)
        shares = [calls[start : start + share] for start in range(0, len(calls), share)]
        others = [self._threads.submit(self._run_share, index, each) for index, each in enumerate(shares) if index]
        try:
            outputs = self._run_share(0, shares[0])
        finally:
            wait(others)  # none of them may run on into the next calls
        return [*outputs, *chain.from_iterable(other.result() for other in others)]

    def run_each(self, feeds: Feeds) -> None:
        """Run a call on every stream at the same time."""
        self.run([lambda: feeds] * self.setup.streams)

    def _run_share(self, stream: int, calls: Sequence[FeedsMaker]) -> list[list[Any]]:
        session = self._open[stream % len(self._open)]
        return [self._run(session, feeds()) for feeds in calls]
