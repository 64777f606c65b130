"""Never "running" while dead: watches run(), and says why the module cannot serve at present.

edgeAgent probes nothing: a hung process would stay "running" for ever. A run() that holds the interpreter lock stops
this watch too: for that there is ``watcher.py``. The connection has its own watch, in ``transports/edge_hub.py``: it is
made anew whenever it ends or confirms nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Literal

from ..errors import RunHungError
from ..inbox import Inbox
from ..operating.metrics import Metrics

_CHECK = 1.0

_log = logging.getLogger(__name__)


def hangs(function: Literal["init", "run"], seconds: float) -> str:
    """Say that a function of the script hangs."""
    return f"{function}() did not return within {seconds:g} s (SCORING_{function.upper()}_TIMEOUT_S)"


class Watchdog:
    """The batcher's observer: notes what is inside run(), counts it, and knows for how long it has been there.

    Attributes:
        trouble: why run() cannot succeed at present, for a reason outside of its requests; empty if it can.
    """

    def __init__(self, inbox: Inbox, metrics: Metrics, run_timeout: float) -> None:
        self._inbox = inbox
        self._metrics = metrics
        self._run_timeout = run_timeout
        self.trouble = ""
        self._since: float | None = None
        self._running: list[int] = []

    def started(self, owners: list[int]) -> None:
        """Hear that a batch is about to run."""
        self._running = owners
        self._since = monotonic()
        self._inbox.running(owners)

    def finished(self, size: int, seconds: float) -> None:
        """Hear that it has returned, with so many requests answered."""
        self._since = None
        self._inbox.running([])
        if size:
            self.trouble = ""
            self._metrics.batch_size.observe(size)
            self._metrics.run_seconds.observe(seconds)

    def stalled(self, why: str, pause: float) -> None:
        """Hear that a message has to be tried again; nothing of it is acked off meanwhile."""
        self.trouble = why
        if pause:
            _log.warning("%s; not the message's fault as far as is known, next try in %g s", why, pause)

    async def watch(self, stack_of_scoring: Callable[[], str]) -> None:
        """Return never; raise when run() hangs.

        Raises:
            RunHungError: it took longer than the time-out; the stack of the scoring thread is in the log.
        """
        pause = min(_CHECK, self._run_timeout / 4)
        looked, lived = monotonic(), 0.0
        while True:
            await asyncio.sleep(pause)
            now = monotonic()
            since = self._since
            # Time that this process has lived through: a SIGSTOP or a `docker pause` is no part of it.
            lived = 0.0 if since is None or since > looked else lived + min(now - looked, 2 * pause)
            looked = now
            if lived > self._run_timeout:
                stack = stack_of_scoring()
                _log.error("run() hangs with %d messages; the scoring thread is here:\n%s", len(self._running), stack)
                self._inbox.explain(f"run() took longer than {self._run_timeout:g} s:\n{stack}")
                raise RunHungError(hangs("run", self._run_timeout))
