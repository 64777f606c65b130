"""What ends the process when the interpreter itself hangs: a second process that hears its event loop turn.

A run() that holds the interpreter lock (a regular expression without end, native code that waits) lets no thread of
this process act: not the watchdog, not a signal's handler in Python. Signals reach it all the same where their handler
is C: SIGHUP and SIGQUIT write every stack (Python's faulthandler) and exit with their own number, 1 and 3, even as the
first process of a container, which ignores signals without a handler. SIGTERM rings the watcher's bell the same way.
"""

import asyncio
import ctypes
import faulthandler
import logging
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from ..journal.suspects import CRASH, HUNG, STOPPED
from ..logs import Form, pattern
from . import watcher_process

_BEAT = 1.0
_AGAIN = 10.0
"""Seconds between two beats; before another watcher is started in the place of one that died."""

_GRACE = 0.5
"""Seconds after the end of a stop's time in which the module ends itself."""

_log = logging.getLogger(__name__)


class Watcher:
    """The module's side: beats once a second, and says what silence means at the time."""

    def __init__(self, form: Form, stop_timeout: float, journal: Path | None) -> None:
        """Prepare the signals; belongs to the event loop that is running.

        Args:
            form: of its log lines.
            stop_timeout: seconds from SIGTERM or SIGINT to the exit.
            journal: the directory of the journal, which notes what a SIGHUP finds; None: it is logged.
        """
        self._form = form
        late = pattern(form, f"did not stop within {stop_timeout:g} s (SCORING_STOP_TIMEOUT_S): the process is ended")
        self._arguments = [str(stop_timeout + _GRACE), str(journal / CRASH if journal else ""), STOPPED, HUNG, late]
        self._loop = asyncio.get_running_loop()
        (self._ear, self._mouth), (self._bell, self._rope) = os.pipe(), os.pipe()
        for end in (self._mouth, self._rope):
            os.set_blocking(end, False)
        self._stacks = os.memfd_create("stacks")  # nobody can keep it from being written, as the reader of a log can
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0
        self.expect(math.inf, signal.SIGHUP, "")
        libc = ctypes.CDLL(None)
        libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        for number in (signal.SIGHUP, signal.SIGQUIT):
            libc.signal(number, ctypes.cast(libc._exit, ctypes.c_void_p))
            faulthandler.register(number, self._stacks, chain=True)

    def start(self) -> None:
        """Begin to be watched; SIGTERM and SIGINT have their handlers in Python by now."""
        for number in (signal.SIGTERM, signal.SIGINT):
            faulthandler.register(number, self._rope, all_threads=False, chain=True)
        self._beat()

    def expect(self, seconds: float, number: signal.Signals, sentence: str) -> None:
        """Say for how long the event loop may stand still from now on, and how the process is to end if it does."""
        line = pattern(self._form, f"{sentence}, and held the interpreter: the process is ended")
        self._line = f"{seconds + _BEAT:g} {int(number)} {line}\n".encode()
        self._say()

    def _beat(self) -> None:
        self._loop.call_later(_BEAT, self._beat)
        if self._process is None or self._process.poll() is not None:
            self._start_process()
        self._say()

    def _say(self) -> None:
        try:
            os.write(self._mouth, self._line)
        except BlockingIOError:
            _log.debug("the watcher does not listen at present")

    def _start_process(self) -> None:
        now = self._loop.time()
        if now < self._next:
            return
        if self._process is not None:
            _log.warning("the process that watches for hangs has ended: another one is started")
        self._next = now + _AGAIN
        command = [sys.executable, "-I", "-S", watcher_process.__file__, str(os.getpid()), str(self._ear)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*command, str(self._bell), str(self._stacks), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(self._ear, self._bell, self._stacks),
            )
        except OSError as error:
            _log.warning("no process can be started that watches for hangs: %s", error)
