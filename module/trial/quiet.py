"""Keeps a script quiet while it is given again what it was given before: what it prints then has been read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..streams import flush


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the process writes to standard output and standard error in the meantime, past Python too.

    Where the script has closed them, or lets no file be opened, nothing is changed.
    """
    saved: list[tuple[int, int]] = []
    try:
        flush()
        with suppress(OSError), open(os.devnull, "wb") as nowhere:
            for number in (1, 2):
                saved.append((os.dup(number), number))
                os.dup2(nowhere.fileno(), number)
        yield
    finally:
        flush()
        for kept, number in saved:
            with suppress(OSError):  # the script has closed this one
                os.dup2(kept, number)
                os.close(kept)
