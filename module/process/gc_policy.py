"""Runs full garbage collections when the module is idle, and none in a burst; objects alive at ready are frozen.

Frozen objects (the script, its model, the libraries) are never scanned again: a full collection then takes only as long
as what was allocated since needs.
"""

import ctypes
import gc
import time
from contextlib import suppress

_YOUNG, _MIDDLE = 700, 10
"""Thresholds of the collections of new objects, which are short: Python's own."""

_DUE, _OVERDUE = 10, 100
"""Middle collections since the last full one: from the first number on (Python's own threshold) a full one runs in the
next idle moment, at the second it runs at once, so that garbage is bounded without idle moments too."""

_EVERY = 10.0
"""Least seconds between two full collections in idle moments."""


class GcPolicy:
    """When full garbage collections run, from ready on."""

    def __init__(self) -> None:
        """Run a full collection, freeze what is alive, and return freed memory to the operating system."""
        gc.collect()
        gc.freeze()
        with suppress(AttributeError):  # only glibc has it, and keeps what was freed
            ctypes.CDLL(None).malloc_trim(0)
        gc.set_threshold(_YOUNG, _MIDDLE, _OVERDUE)
        self._last = time.monotonic()

    def idle(self) -> None:
        """Run a full collection if one is due; to be called when no message waits."""
        if gc.get_count()[2] >= _DUE and time.monotonic() - self._last >= _EVERY:
            gc.collect()
            self._last = time.monotonic()
