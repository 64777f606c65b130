"""The batcher gathers requests, runs each batch on the scoring thread, and answers in order."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_parts import Seen, batched_script, requests, values

from scoring.batch import BatchLimits
from scoring.batcher import Batcher
from scoring.errors import RunError
from scoring.predictions import Outcome, Request
from scoring.scoring_thread import ScoringThread
from scoring.scripts.loading import Script


def echo(given: list[object]) -> list[object]:
    return list(given)


class Gate:
    """A run() that waits to be let through and keeps the size of each batch."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[object]] = []

    def run(self, requests: list[object]) -> list[object]:
        self.batches.append(requests)
        self.entered.set()
        assert self.open.wait(10)
        return list(requests)


def batcher_of(script: Script, limits: BatchLimits, seen: Seen | None = None) -> tuple[Batcher, ScoringThread]:
    thread = ScoringThread(asyncio.get_running_loop())
    return Batcher(script, thread, limits, seen or Seen()), thread


async def answers_of(script: Script, limits: BatchLimits, groups: Sequence[Sequence[object]]) -> list[list[object]]:
    """Submit groups in one turn of the loop; gives their answers, and checks that they came in order."""
    batcher, thread = batcher_of(script, limits)
    finished: list[int] = []
    futures = [batcher.submit(requests(group)) for group in groups]
    for number, future in enumerate(futures):
        future.add_done_callback(lambda _, n=number: finished.append(n))  # type: ignore[misc]
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*futures)
    thread.stop()
    filled = [number for number in finished if groups[number]]
    assert filled == sorted(filled)
    assert len(batcher._waiting) == 0
    return [values(answer) for answer in answers]


@given(st.lists(st.lists(st.integers(), max_size=30), max_size=20), st.integers(1, 9))
def test_groups_are_split_and_rejoined(groups: list[list[int]], max_size: int) -> None:
    """Every request gets its own answer, each group at once and in its order, however batches were cut."""
    sizes: list[int] = []

    def run(given: list[object]) -> list[object]:
        sizes.append(len(given))
        return list(given)

    assert asyncio.run(answers_of(batched_script(run), BatchLimits(max_size), groups)) == groups
    assert all(1 <= size <= max_size for size in sizes)
    assert len(sizes) == -(-sum(map(len, groups)) // max_size)


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), max_size=12), st.integers(1, 9), st.sets(st.integers(0, 50)))
def test_a_failing_request_stays_with_its_own_group(groups: list[list[int]], max_size: int, bad: set[int]) -> None:
    """Bisected or not, order and neighbours stay as they were."""

    def run(given: list[object]) -> list[object]:
        if bad.intersection(given):
            raise ValueError(given)
        return list(given)

    answers = asyncio.run(answers_of(batched_script(run), BatchLimits(max_size), groups))
    seen = [["bad" if isinstance(outcome, RunError) else outcome for outcome in answer] for answer in answers]
    assert seen == [["bad" if request in bad else request for request in group] for group in groups]


@given(st.lists(st.lists(st.integers(), max_size=6), max_size=12), st.integers(1, 5))
def test_what_a_script_leaves_unanswered_stays_first_in_line(groups: list[list[int]], turn: int) -> None:
    """A script that takes one request after another may answer only the first few; order is kept."""
    whole = batched_script(echo)

    def first_few(given: Sequence[Request]) -> list[Outcome]:
        return whole.score(given[:turn])

    script = replace(whole, score=first_few)
    assert asyncio.run(answers_of(script, BatchLimits(8), groups)) == groups


async def test_a_lone_request_is_not_delayed() -> None:
    """By default whatever waits is a batch at once."""
    batcher, thread = batcher_of(batched_script(echo), BatchLimits(64))
    started = time.perf_counter()
    assert values(await batcher.submit(requests([1]))) == [1]
    assert time.perf_counter() - started < 5
    thread.stop()


async def test_while_one_batch_runs_the_next_one_fills() -> None:
    """No waiting for company: it comes by itself while the thread is busy."""
    gate, seen = Gate(), Seen()
    batcher, thread = batcher_of(batched_script(gate.run), BatchLimits(64), seen)
    first = batcher.submit(requests([0]))
    await asyncio.to_thread(gate.entered.wait, 5)
    later = [batcher.submit(requests([n])) for n in range(1, 41)]
    assert len(batcher._waiting) == 40
    gate.open.set()
    await asyncio.gather(first, *later)
    assert seen.sizes == [1, 40]
    thread.stop()


async def test_a_fuller_batch_is_waited_for_only_when_asked() -> None:
    """With max_delay a batch starts when it is full, or when its oldest request has waited that long."""
    seen = Seen()
    batcher, thread = batcher_of(batched_script(echo), BatchLimits(4, max_delay=30), seen)
    answers = []
    for number in range(4):
        answers.append(batcher.submit(requests([number])))
        await asyncio.sleep(0.005)
    async with asyncio.timeout(5):
        await asyncio.gather(*answers)
    assert seen.sizes == [4]
    thread.stop()
    batcher, thread = batcher_of(batched_script(echo), BatchLimits(4, max_delay=0.05), seen)
    started = time.perf_counter()
    await asyncio.gather(batcher.submit(requests([1])), batcher.submit(requests([2])))
    assert time.perf_counter() - started >= 0.045
    assert seen.sizes == [4, 2]
    thread.stop()


async def test_a_request_that_waited_during_a_batch_does_not_wait_again() -> None:
    """max_delay counts from the arrival of the oldest request, not from the last batch."""
    gate = Gate()
    batcher, thread = batcher_of(batched_script(gate.run), BatchLimits(2, max_delay=1.0))
    first = batcher.submit(requests([0, 1, 2, 3, 4]))
    await asyncio.to_thread(gate.entered.wait, 5)
    await asyncio.sleep(1.05)
    gate.open.set()
    started = time.perf_counter()
    assert values(await first) == [0, 1, 2, 3, 4]
    assert time.perf_counter() - started < 0.9
    thread.stop()


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_an_answer_that_was_given_up_harms_nobody(cancelled: int) -> None:
    """A message whose answer nobody awaits any more leaves its neighbours alone."""
    batcher, thread = batcher_of(batched_script(echo), BatchLimits(4))
    futures = [batcher.submit(requests([n, n])) for n in range(3)]
    futures[cancelled].cancel()
    others = [future for n, future in enumerate(futures) if n != cancelled]
    assert [values(answer) for answer in await asyncio.gather(*others)] == [[n, n] for n in range(3) if n != cancelled]
    thread.stop()


async def test_the_observer_hears_whose_requests_run() -> None:
    """Before each run() its owners, each once; after it the number of its requests."""
    seen = Seen()
    batcher, thread = batcher_of(batched_script(echo), BatchLimits(3), seen)
    await asyncio.gather(*(batcher.submit(requests([0] * size), owner) for owner, size in ((7, 2), (8, 2), (9, 1))))
    assert (seen.owners, seen.sizes) == ([[7, 8], [8, 9]], [3, 2])
    thread.stop()


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=12), st.integers(1, 6))
def test_requests_that_must_be_alone_share_no_run(groups: list[tuple[int, bool]], max_size: int) -> None:
    """A message that was inside run() when a process died meets no other there; order is kept all the same."""

    async def owners() -> list[list[int]]:
        seen = Seen()
        batcher, thread = batcher_of(batched_script(echo), BatchLimits(max_size), seen)
        answers = [
            batcher.submit(requests([owner] * size), owner, alone=alone) for owner, (size, alone) in enumerate(groups)
        ]
        async with asyncio.timeout(20):
            gathered = [values(answer) for answer in await asyncio.gather(*answers)]
            assert gathered == [[n] * size for n, (size, _) in enumerate(groups)]
        thread.stop()
        assert [owner for batch in seen.owners for owner in batch] == sorted(o for batch in seen.owners for o in batch)
        return seen.owners

    suspects = {owner for owner, (_, alone) in enumerate(groups) if alone}
    assert all(len(batch) == 1 for batch in asyncio.run(owners()) if suspects.intersection(batch))


@pytest.mark.parametrize("in_place", [False, True])
async def test_no_error_of_scoring_leaves_a_message_unfinished(in_place: bool) -> None:
    """score() never raises; if it does, its messages are answered all the same, and the next ones are scored."""
    whole = batched_script(echo)

    def breaks_once(given: Sequence[Request]) -> list[Outcome]:
        if given[0].value == 0:
            raise OSError(30, "a read-only file system")
        return whole.score(given)

    thread = ScoringThread(asyncio.get_running_loop())
    batcher = Batcher(replace(whole, score=breaks_once), thread, BatchLimits(2), Seen(), in_place=in_place)
    answers = [batcher.submit(requests([n])) for n in range(4)]
    async with asyncio.timeout(5):
        outcomes = [values(await answer)[0] for answer in answers]
    thread.stop()
    assert [isinstance(outcome, RunError) for outcome in outcomes[:2]] == [True, True]
    assert outcomes[2:] == [2, 3]
