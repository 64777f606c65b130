"""The event loop of a command: uvloop's where it exists, and ended by SIGTERM in order."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """Give uvloop's event loop where it exists, else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - no Windows has it
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and everything that it began.

    SIGTERM cancels it, so that it may say what it knows, and is exit code 143. It is no exception of the signal's
    handler: such a one may meet the event loop where it is dropped.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_until_terminated(coroutine))


async def _until_terminated(coroutine: Coroutine[Any, Any, T]) -> T:
    task, signalled = asyncio.current_task(), asyncio.Event()
    assert task is not None  # noqa: S101 - it runs as one

    def cancel() -> None:
        signalled.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cancel)
    try:
        return await coroutine
    except asyncio.CancelledError:
        if signalled.is_set():
            sys.exit(143)
        raise
