"""The streams of a command that runs a script, which may close, replace or redirect the process's: ours are kept."""

import os
import sys
from contextlib import suppress
from typing import TextIO

_kept: list[TextIO] = []


def kept(stream: TextIO) -> TextIO:
    """Give a stream that leads where this one does, on a descriptor that no script knows."""
    number = os.dup(stream.fileno())
    return open(number, "w", encoding=stream.encoding, errors="backslashreplace", buffering=1)


def keep_stderr() -> TextIO:
    """Keep standard error for what we say, before a script may do anything to it."""
    _kept.append(kept(sys.stderr))
    return _kept[-1]


def stderr() -> TextIO:
    """Give the stream for what we say to people."""
    return _kept[-1] if _kept else sys.stderr


def finish() -> None:
    """Write what we have said on standard output to its end; where a script ran in this process it is the script's."""
    if not _kept:
        sys.stdout.flush()


def flush() -> None:
    """Write what standard output and standard error still hold, as far as that is possible."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whoever read has gone; the script has closed it, or put anything in its place
            stream.flush()
