"""When a batch is ready: on a clock that is set by hand."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_parts import Seen, batched_script, requests

from scoring import batcher
from scoring.batch import BatchLimits, batched
from scoring.batcher import Batcher

limits = st.builds(BatchLimits, st.integers(1, 512), st.floats(0, 60))
numbers = st.integers(1, 600)
waited = st.floats(0, 120)


def ready_in(waiting: int, oldest: float, limit: BatchLimits) -> float | None:
    """Give the seconds until so many requests, which have waited so long, are a batch; None if they never are."""
    return asyncio.run(_ready_in(waiting, oldest, limit))


async def _ready_in(waiting: int, oldest: float, limit: BatchLimits) -> float | None:
    seen, delays, clock = Seen(), [], SimpleNamespace(now=0.0)
    loop = asyncio.get_running_loop()
    with (
        patch.object(batcher, "time", SimpleNamespace(monotonic=lambda: clock.now)),
        patch.object(loop, "call_later", lambda delay, call: delays.append(delay)),
        patch.object(loop, "call_soon", lambda call: None),
    ):
        line = Batcher(batched_script(list), None, limit, seen, in_place=True)  # type: ignore[arg-type]
        line.submit(requests(range(waiting)))
        clock.now += oldest
        line._start_batch()
    return 0.0 if seen.sizes else delays[0] if delays else None


@given(waited, limits)
def test_nothing_waiting_is_never_a_batch(oldest: float, limit: BatchLimits) -> None:
    """No request, no run()."""
    assert ready_in(0, oldest, limit) is None


@given(numbers, waited, st.integers(1, 512))
def test_by_default_whatever_waits_is_a_batch_at_once(waiting: int, oldest: float, size: int) -> None:
    """Take what is waiting, never wait for more."""
    assert ready_in(waiting, oldest, BatchLimits(size)) == 0


@given(numbers, waited, limits)
def test_a_full_batch_does_not_wait(waiting: int, oldest: float, limit: BatchLimits) -> None:
    """Full: now. Not full: never longer than the oldest request's rest of max_delay."""
    delay = ready_in(waiting, oldest, limit)
    assert delay is not None
    assert delay == 0 if waiting >= limit.max_size else 0 <= delay <= limit.max_delay


@given(numbers, waited, limits)
def test_after_that_delay_it_is_a_batch(waiting: int, oldest: float, limit: BatchLimits) -> None:
    """Whoever waits as long as it was told need not ask a third time."""
    delay = ready_in(waiting, oldest, limit) or 0.0
    assert (ready_in(waiting, oldest + delay, limit) or 0.0) < 1e-9


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"maxsize": 3}, "@batched takes max_size, bisect, check, no maxsize, did you mean max_size?"),
        ({"size": 3, "bisect": False}, "@batched takes max_size, bisect, check, no size"),
        ({"max_size": 0}, "@batched has max_size=0: it must be a whole number, at least 1"),
        ({"max_size": "3"}, "@batched has max_size='3': it must be a whole number, at least 1"),
        ({"max_size": 2.5}, "@batched has max_size=2.5: it must be a whole number, at least 1"),
    ],
)
def test_what_batched_does_not_take_is_named_with_what_it_does(given_: dict[str, Any], said: str) -> None:
    """By the line of the script that a sentence names."""
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        batched(**given_)


def test_a_size_without_its_name_is_told_its_name() -> None:
    with pytest.raises(TypeError, match=re.escape("@batched(3) is unclear: write @batched(max_size=3)")):
        batched(3)  # type: ignore[call-overload]
