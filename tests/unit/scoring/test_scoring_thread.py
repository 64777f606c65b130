"""The scoring thread: the one thread where init() and every run() happen."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator

import pytest
from waiting import until

from scoring.scoring_thread import ScoringThread


def ended(thread: ScoringThread, seconds: float = 5) -> bool:
    """Say whether it ends within so many seconds."""
    thread._thread.join(seconds)
    return not thread._thread.is_alive()


@pytest.fixture
async def thread() -> AsyncIterator[ScoringThread]:
    """Give a scoring thread of the running loop."""
    thread = ScoringThread(asyncio.get_running_loop())
    yield thread
    thread.stop()
    assert ended(thread)


async def test_calls_run_one_after_another_on_one_thread(thread: ScoringThread) -> None:
    """run() is never concurrent, and always where init() was."""
    seen: list[tuple[int, int | None]] = []
    answers = [thread.call(lambda n=n: seen.append((n, threading.get_ident()))) for n in range(50)]  # type: ignore[misc]
    await asyncio.gather(*answers)
    ident = await thread.call(threading.get_ident)
    assert seen == [(n, ident) for n in range(50)]
    assert ident != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
async def test_an_exception_comes_back_and_ends_nothing(thread: ScoringThread, error: BaseException) -> None:
    """A script's sys.exit() ends neither the thread nor the process."""

    def fail() -> None:
        raise error

    answer = thread.call(fail)
    await asyncio.wait((answer,))
    assert answer.exception() is error
    assert await thread.call(max, 1, 2) == 2


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(thread: ScoringThread) -> None:
    """A cancelled call does no harm to those after it."""
    go_on = threading.Event()
    answer = thread.call(go_on.wait, 5)
    answer.cancel()
    go_on.set()
    assert await thread.call(max, 1, 2) == 2


async def test_an_idle_thread_keeps_no_batch_alive(thread: ScoringThread) -> None:
    """Memory goes back when the answer is out, not when the next batch comes."""

    class Batch:
        """Something that can be watched."""

    batch = Batch()
    watched = weakref.ref(batch)
    await thread.call(lambda given: None, batch)
    del batch

    def is_gone() -> bool:
        gc.collect()
        return watched() is None

    await until(is_gone)


def test_it_never_keeps_a_process_from_ending() -> None:
    """A run() that hangs must not make SIGTERM hang; a loop that is gone is no error."""

    async def leave() -> ScoringThread:
        thread = ScoringThread(asyncio.get_running_loop())
        thread.call(go_on.wait, 5)
        return thread

    go_on = threading.Event()
    thread = asyncio.run(leave())
    assert not ended(thread, 0.01)
    assert thread._thread.daemon
    go_on.set()
    assert ended(thread)
