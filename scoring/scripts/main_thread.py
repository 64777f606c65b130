"""What a script has on the main thread of a process of its own: an event loop; signals, which are ours here."""

import asyncio
import logging
import os
import signal
import threading
from typing import Any

_log = logging.getLogger(__name__)
_here = threading.local()


def current_loop() -> asyncio.AbstractEventLoop:
    """Give the event loop that ``asyncio.get_event_loop()`` gives on this thread from now on: one for all scripts.

    What was closed, at import or in ``init()``, is made anew.
    """
    loop: asyncio.AbstractEventLoop | None = getattr(_here, "loop", None)
    if loop is None or loop.is_closed():
        loop = _here.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def tolerate_signals() -> None:
    """Let a script ask for signals on this thread, without effect: they are the module's, and Python would refuse.

    A timer's signal would then end the process: what sets one has no effect either.
    """
    if threading.current_thread() is threading.main_thread():
        return
    _here.warned = False
    if not hasattr(signal.signal, "__scoring__"):
        _replace("signal", lambda number, handler: signal.getsignal(number))
        for name in {"alarm", "setitimer"} & vars(signal).keys():  # no Windows has them
            _replace(name, lambda *given: 0 if len(given) == 1 else (0.0, 0.0))
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: vars(_here).clear())  # a process of the script's has its own


def _replace(name: str, instead: Any) -> None:
    original = getattr(signal, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        if not hasattr(_here, "warned"):
            return original(*args, **kwargs)
        if not _here.warned:
            _here.warned = True
            _log.warning("the script calls signal.%s(), which has no effect here: signals are the module's", name)
        return instead(*args, **kwargs)

    function.__scoring__ = True  # type: ignore[attr-defined]
    setattr(signal, name, function)
