"""The watcher's own process: ends the module when it hangs with the interpreter lock held, or outlasts a stop.

Run by ``watcher.py`` as a script in an isolated interpreter: it imports nothing of ours, which keeps it at 2.6 MiB. It
measures time that both processes have lived through: what a SIGSTOP or a ``docker pause`` takes counts for nothing.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

_TICK = 0.5
_PATIENCE = 3.0
_MOST_LOGGED = 3500
"""Seconds between two looks; that the module may take to write its stacks and end; bytes of them that are logged."""


def watch(
    module: int,
    beats: int,
    bell: int,
    stacks: int,
    *,
    stop_within: float,
    crash: str,
    stopped: str,
    hung: str,
    late: str,
) -> None:
    """Watch until the module is gone.

    Args:
        module: its process.
        beats: readable: a line for each turn of its event loop, ``{seconds} {signal} {log line}``: if no other comes
            for so many seconds, it hangs and is ended with this signal, and the line is logged.
        bell: readable: rings when it is asked to stop.
        stacks: where it leaves its stacks when ``crash`` is empty, or does not take them; they are logged.
        stop_within: seconds from then on in which it has to be gone.
        crash: the file that gets its stacks; empty: none.
        stopped: what is written before them if it outlasts a stop.
        hung: what is written before them if its run() hangs.
        late: the log line of that.
    """
    limit, number, line = float("inf"), int(signal.SIGKILL), ""
    silent, asked = 0.0, -1.0
    last = time.monotonic()
    while os.getppid() == module:
        ready, _, _ = select.select([beats, bell], [], [], _TICK)
        now = time.monotonic()
        lived = 0.0 if _is_stopped(module) else min(now - last, _TICK)
        last = now
        silent += lived
        asked += lived if asked >= 0 else 0
        if bell in ready:
            os.read(bell, 1 << 16)
            asked = max(asked, 0.0)
        if beats in ready:
            if not (data := os.read(beats, 1 << 16)):
                return
            silent = 0.0
            with suppress(ValueError):  # half a line, after a long silence of ours
                seconds, signal_number, line = data.decode().splitlines()[-1].split(" ", 2)
                limit, number = float(seconds), int(signal_number)
        if asked > stop_within:
            _note(crash, stopped)
            line, number = late, signal.SIGHUP
        elif silent <= limit:
            continue
        elif number == signal.SIGHUP:
            _note(crash, hung)
        _log(time.strftime(f"{line}\n", time.gmtime()))
        _end(module, number, beats)
        _log(os.pread(stacks, _MOST_LOGGED, 0).decode(errors="replace").replace("\n", "\n    "))
        return


def _is_stopped(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] in b"Tt"
    except OSError:
        return False


def _log(line: str) -> None:
    """Write to the module's log, unless its reader is gone or stands still."""
    with suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, line.encode())


def _note(crash: str, stopped: str) -> None:
    if crash and os.path.exists(crash):
        with suppress(OSError), open(crash, "a") as file:  # the disk may be full
            file.write(stopped)


def _end(module: int, number: int, beats: int) -> None:
    """Let it write its stacks and exit; SIGKILL if it does not, which it ignores from here where it is process 1."""
    for each in (number, signal.SIGKILL):
        os.kill(module, each)
        end = time.monotonic() + _PATIENCE
        while (left := end - time.monotonic()) > 0:
            if select.select([beats], [], [], left)[0] and not os.read(beats, 1 << 16):
                return


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(each, signal.SIG_IGN)  # they are meant for the module, which it outlives by a moment
    with suppress(ProcessLookupError, BrokenPipeError):
        numbers, (within, crash, stopped, hung, late) = map(int, sys.argv[1:5]), sys.argv[5:10]
        watch(*numbers, stop_within=float(within), crash=crash, stopped=stopped, hung=hung, late=late)
