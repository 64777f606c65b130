"""Other programs as a build runs them: none of them outlives it, and none reads what is typed to it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_GRACE = 2.0
"""Seconds that a program has to end by itself."""


@contextmanager
def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    reads_output: bool = True,
) -> Iterator[subprocess.Popen[str]]:
    """Start a program whose streams are read; whatever interrupts the block ends it and what it has started.

    Args:
        command: its path and its arguments.
        env: its variables; this process's own without it.
        cwd: where it runs; here without it.
        reads_output: its standard output too, and not what it says of errors alone.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=pipe if reads_output else subprocess.DEVNULL,
        stderr=pipe,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            _end(process)
            raise


def output_of(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    """Run a program to its end and give its exit code and all that it wrote to its two streams, see started()."""
    with started(command, env=env, cwd=cwd) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(_GRACE)
