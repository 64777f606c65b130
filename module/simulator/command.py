"""COMMAND: the process under test. Starts it, kills it, starts it again as edgeAgent would, and stops it."""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import SettingsError

_log = logging.getLogger(__name__)

_MAX_CRASHES = 20
"""Restarts after a crash until edgeAgent gives a module up."""

_FINAL_CODES = frozenset({0, 2, 3})
"""Exit codes after which another start changes nothing: done, settings, scoring script."""

_EARLY = 0.25
"""Share of the lives whose moment is counted from the start and not from the connect: starting up is hit too."""

_LOOK_EVERY = 0.001
"""Seconds between looks for the event that a kill waits for: short beside what a message takes."""

_STOP_LIMIT = 10.0
"""Seconds from SIGTERM to SIGKILL, a container engine's default."""


@dataclass(eq=False, kw_only=True)
class Command:
    """One command that may live several times.

    Attributes:
        argv: program and arguments.
        kill_every: seconds that a life is connected on average until it is killed; None: never.
        connects: how often it reached the hub; a crash before the first time is followed by no other start.
        under_way: how many messages were sent to it and are not answered; a kill waits for one.
        may_kill: asked at each moment drawn for a kill; without a yes another one is drawn.
        before_kill: awaited right before each kill.
        after_end: called after each end that is followed by another start.
        restarts: how often it was started again, after a kill or a crash.
        crashes: how many of these were crashes.
        killed: how often it was killed.
        kills_under_way: … of them, of a life that had connected, with messages under way.
    """

    argv: Sequence[str]
    kill_every: float | None
    connects: Callable[[], int]
    under_way: Callable[[], int]
    may_kill: Callable[[], bool]
    before_kill: Callable[[], Awaitable[None]]
    after_end: Callable[[], None]
    restarts: int = 0
    crashes: int = 0
    killed: int = 0
    kills_under_way: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def run(self, environment: Mapping[str, str]) -> int:
        """Run it with these variables and no others until it ends for good; give its exit code (128 + n for signal n).

        Raises:
            SettingsError: it cannot be started.
        """
        while True:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.argv, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                raise SettingsError(f"cannot start {self.argv[0]}: {error.strerror}") from error
            self._process = process
            killed = await self._live(process)
            code = process.returncode or 0
            if not killed:
                if code in _FINAL_CODES or self.crashes == _MAX_CRASHES or not self.connects():
                    return _shell_code(code)
                self.crashes += 1
                _log.warning("COMMAND ended with %d and is started again", code)
                await asyncio.sleep(min(5.0, 0.1 * 2**self.crashes))
            self.restarts += 1
            self.after_end()

    async def stop(self) -> int | None:
        """Send SIGTERM, wait up to 10 s, then SIGKILL what is left; give its exit code, None if it had ended before."""
        if (process := self._process) is None:
            return None
        ran = process.returncode is None
        with suppress(ProcessLookupError, TimeoutError):
            process.terminate()
            async with asyncio.timeout(_STOP_LIMIT):
                await process.wait()
        _kill(process)
        code = await process.wait()
        return _shell_code(code) if ran else None

    async def _live(self, process: asyncio.subprocess.Process) -> bool:
        """Wait for the end of one life; say whether it was killed."""
        before = self.killed
        async with asyncio.TaskGroup() as tasks:
            killing = tasks.create_task(self._kill_in_time(process))
            await process.wait()
            killing.cancel()
        return self.killed != before

    async def _kill_in_time(self, process: asyncio.subprocess.Process) -> None:
        """Kill the process at a moment drawn again until it may be, and once connected only with messages under way."""
        if self.kill_every is None:
            return
        before = self.connects()
        early = random.random() < _EARLY  # noqa: S311 - no secret
        while not early and self.connects() == before:  # noqa: ASYNC110 - it is a count that others keep
            await asyncio.sleep(_LOOK_EVERY)
        while True:
            await asyncio.sleep(min(4 * self.kill_every, random.expovariate(1 / self.kill_every)))
            if self.may_kill():
                break
        await self.before_kill()
        while self.connects() != before and not self.under_way():  # noqa: ASYNC110 - another such count
            await asyncio.sleep(_LOOK_EVERY)
        if process.returncode is None:
            self.killed += 1
            self.kills_under_way += self.connects() != before and self.under_way() > 0
            _kill(process)


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process and its children, as the end of a container does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
