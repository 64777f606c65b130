"""Full garbage collections run when nothing waits, not too often, and never by themselves in a burst."""

import gc
import time
from collections.abc import Iterator

import pytest
from unit_parts import batched_script, line, message

from module.process.gc_policy import GcPolicy


class Node:
    """An object that is only freed by a collection."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def full() -> Iterator[list[str]]:
    """Give what grows with each full collection, and put Python's thresholds back afterwards."""
    seen: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            seen.append(phase)

    before = gc.get_threshold()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*before)
    gc.unfreeze()


def burst() -> list[Node]:
    """Allocate what by Python's own rules means a full collection."""
    return [Node() for _ in range(700 * 11 * 13)]


def test_a_burst_is_not_interrupted_and_the_idle_moment_after_it_is_used(
    full: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; not again before something else has been allocated, nor soon after."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    collecting = GcPolicy()
    assert gc.get_freeze_count() > 0
    del full[:]
    kept = burst()
    assert full == []
    collecting.idle()
    assert full == [], "it has just been done"
    now += 10
    collecting.idle()
    assert full == ["start"]
    now += 10
    collecting.idle()
    assert full == ["start"], "there is nothing new"
    kept += burst()
    collecting.idle()
    assert full == ["start"] * 2


def test_without_an_idle_moment_it_comes_all_the_same(full: list[str]) -> None:
    """Garbage is bounded."""
    GcPolicy()
    del full[:]
    kept = [burst() for _ in range(10)]
    assert full
    assert kept


async def test_the_pipeline_says_when_it_is_idle() -> None:
    """When everything that was taken is answered and done, and only then."""
    through = line(batched_script(lambda requests: requests))
    waiting: list[int] = []
    through.pipeline.on_idle = lambda: waiting.append(through.inbox.waiting())
    through.offer(message(n) for n in range(10))
    await through.end()
    assert set(waiting) == {0}
