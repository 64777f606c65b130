"""How the process ends: one deadline from the first signal to the exit, and no part of it that dies without a word."""

import asyncio
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import ModuleError

_OURS = tuple(f"{Path(__file__).parents[2] / name}{os.sep}" for name in ("module", "scoring"))
_RESERVE, _MARGIN = 0.25, 0.05
"""Parts of the time for stopping: what is kept for the end of the connection and the journal, and for the exit."""

_log = logging.getLogger(__name__)


class Ending:
    """The end of the process, asked for or not.

    Attributes:
        forget: lets nobody be blamed for the end that comes now.
        at_once: a signal ends the process where it is: the event loop may stand still, and there is nothing to finish.
    """

    def __init__(self, seconds: float, stop: Callable[[], None]) -> None:
        """Take SIGTERM and SIGINT; belongs to the event loop that is running.

        Args:
            seconds: from the first signal to the exit, everything included.
            stop: begins to stop.
        """
        self._seconds = seconds
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._deadline: float | None = None
        self.forget: Callable[[], object] = lambda: None
        self.at_once = False
        self._loop.set_exception_handler(self._stray)
        # Not the loop's own handlers: those go before the process does, and a last signal would be its death.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def left(self) -> float:
        """Give the seconds in which what is under way may still be finished."""
        return max(0.0, (self._deadline or 0.0) - self._seconds * _RESERVE - time.monotonic())

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.at_once:
            os._exit(0)
        self._loop.call_soon_threadsafe(self._asked, signal.Signals(number).name)

    def _asked(self, name: str) -> None:
        if self._deadline is not None:
            self._exit(0, f"{name} again: not waiting any longer")
        _log.info("%s: stopping", name)
        self._deadline = time.monotonic() + self._seconds
        late = "not stopped within SCORING_STOP_TIMEOUT_S: what is under way is left to the next start"
        self._loop.call_later(self._seconds * (1 - _MARGIN), self._exit, 0, late)
        self._stop()

    def _exit(self, code: int, why: str) -> None:
        """End here and now: what is in the journal stays there."""
        _log.warning("%s", why)
        self.forget()
        os._exit(code)

    def _stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear of an exception that nobody has caught: if a part of ours died of it, a new process is needed.

        The SDK drops exceptions of its own, which harm no one: a lost connection is noticed by other means.
        """
        error = context.get("exception")
        _log.error("%s", context.get("message") or "an exception that nobody caught", exc_info=error)
        if error is None or isinstance(error, ModuleError):  # which somebody meant
            return
        if any(frame.f_code.co_filename.startswith(_OURS) for frame, _ in traceback.walk_tb(error.__traceback__)):
            self._exit(1, "a part of the module has died: please report this")
