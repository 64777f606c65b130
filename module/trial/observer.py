"""What hears of every run() of a trial: that it begins and ends, that it stalls."""

import asyncio
from collections.abc import Callable
from typing import Literal

from scoring.errors import TransientError

from ..inbox import MemoryInbox
from ..operating.metrics import Metrics
from ..process.watchdog import Watchdog

Stage = Literal["init", "run", "merging", "", "done"]
"""What a trial is at: a function of the script, several calls with requests merged, none of these, its end."""

Tell = Callable[[Stage, str], None]
"""Is told what begins, and with which messages."""


class Observer(Watchdog):
    """The watchdog of a trial: tells what runs, and does not wait for better times.

    Attributes:
        naming: says what a batch is made of by the numbers of its messages.
    """

    def __init__(self, run_timeout: float, tell: Tell) -> None:
        super().__init__(MemoryInbox(), Metrics(), run_timeout)
        self._tell = tell
        self._stall: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.naming: Callable[[list[int]], str] = lambda seqs: ""

    def started(self, owners: list[int]) -> None:
        """Tell what runs."""
        super().started(owners)
        self._tell("run", self.naming(owners))

    def finished(self, size: int, seconds: float) -> None:
        """Tell that it has ended."""
        super().finished(size, seconds)
        self._tell("", "")

    def stalled(self, why: str, pause: float) -> None:
        """End the trial: nobody waits for better times here."""
        super().stalled(why, pause)
        if not self._stall.done():
            self._stall.set_exception(TransientError(f"{why}: the module would try it again and again"))

    async def watch(self, stack_of_scoring: Callable[[], str]) -> None:
        """Return never; raise when run() hangs or fails for a reason that may lie outside."""
        await asyncio.gather(super().watch(stack_of_scoring), self._stall)
