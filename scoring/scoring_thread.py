"""The scoring thread: the one thread where init() and every run() happen."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar, TypeVarTuple, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MAX_FRAMES = 50

_Call = tuple[Callable[..., object], tuple[object, ...], asyncio.Future[object]]


class ScoringThread:
    """Runs one call after another on a thread of its own, and answers on the event loop.

    A daemon: a run() that never returns must not keep the process from ending. A ThreadPoolExecutor would wait for it,
    and costs about twice as much a call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="scoring", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run ``function(*args)`` on the scoring thread; the future gets its result or its exception."""
        future: asyncio.Future[object] = self._loop.create_future()
        self._calls.put((function, args, future))
        return cast(asyncio.Future[T], future)

    def stop(self) -> None:
        """End the thread after the calls that it was given."""
        self._calls.put(None)

    def stack(self) -> str:
        """Give the stack of whatever the thread is at, its innermost frames."""
        return "".join(traceback.format_stack(sys._current_frames().get(self._thread.ident or 0), _MAX_FRAMES))

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            function, args, future = call
            answer: object = None
            failure: BaseException | None = None
            try:
                answer = function(*args)
            except BaseException as error:  # the script's SystemExit must not end this thread
                failure = error
            try:
                self._loop.call_soon_threadsafe(_settle, future, answer, failure)
            except RuntimeError:  # the loop is closed: nobody is left to answer
                return
            del call, function, args, future, answer, failure  # while idle, keep no batch alive


def _settle(future: asyncio.Future[object], answer: object, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(answer)
    else:
        future.set_exception(failure)
