"""Keeps a script quiet while it is given again what it was given before: what it prints then has been read."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the process writes to standard output and standard error in the meantime, past Python too.

    Where the script has closed them, or lets no file be opened, nothing is changed.
    """
    saved: list[tuple[int, int]] = []
    try:
        _flush()
        with suppress(OSError), open(os.devnull, "wb") as nowhere:
            for number in (1, 2):
                saved.append((os.dup(number), number))
                os.dup2(nowhere.fileno(), number)
        yield
    finally:
        _flush()
        for kept, number in saved:
            os.dup2(kept, number)
            os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the script may have closed it, or put anything in its place
            stream.flush()
