"""What a script forks is a process of its own: a signal to it is none to the module, and it holds nothing of ours open.

``multiprocessing`` forks by default before Python 3.14, and ends its processes by SIGTERM: with our handlers they would
not end, and the module would take the signal for its own.
"""

import faulthandler
import os
import signal
import threading
from contextlib import suppress
from signal import signal as handle_signal  # itself: what a script calls by that name has no effect here
from typing import Protocol
from weakref import WeakSet


class _Open(Protocol):
    def fileno(self) -> int: ...


_ours: WeakSet[_Open] = WeakSet()


def keep_from_forks(opened: _Open) -> None:
    """Close a file, socket or pipe in what is forked, which would keep it open beyond our end."""
    _ours.add(opened)


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_here = threading.local()


def _hold_signals() -> None:
    """Let none reach what is forked while it still has our handlers."""
    _here.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _here.mask)


def _let_go() -> None:
    for number in _SIGNALS:
        faulthandler.unregister(number)
        handle_signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    for opened in _ours:
        with suppress(OSError, ValueError):  # closed by now
            os.close(opened.fileno())
    _ours.clear()
    _release_signals()


os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_let_go)
