"""When memory is given back: once at ready, then by full garbage collections in idle moments, not within a burst."""

import ctypes
import gc
import time
from contextlib import suppress

_YOUNG, _MIDDLE = 700, 10
"""Python's own thresholds for new objects: their collections are short."""

_DUE, _OVERDUE = 10, 100
"""Middle collections since the last full one after which it runs in an idle moment (Python's own), or at once."""

_EVERY = 10.0
"""Seconds between two full collections in idle moments at least."""


class Collecting:
    """Full collections from ready on: what lives then lives to the end and is walked by none of them."""

    def __init__(self) -> None:
        """Collect once, give back what is free, set aside what is left, and leave the next collections to ``idle``."""
        gc.collect()
        gc.freeze()
        with suppress(AttributeError):  # only glibc has it, and keeps what was freed
            ctypes.CDLL(None).malloc_trim(0)
        gc.set_threshold(_YOUNG, _MIDDLE, _OVERDUE)
        self._last = time.monotonic()

    def idle(self) -> None:
        """Collect if enough has been allocated since the last time; call it when nothing waits."""
        if gc.get_count()[2] >= _DUE and time.monotonic() - self._last >= _EVERY:
            gc.collect()
            self._last = time.monotonic()
