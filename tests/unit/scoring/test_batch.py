"""When a batch is ready: decided without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from scoring.batch import BatchLimits, ready_in

limits = st.builds(BatchLimits, st.integers(1, 512), st.floats(0, 60))
waited = st.floats(0, 120)


@given(waited, limits)
def test_nothing_waiting_is_never_a_batch(oldest: float, limit: BatchLimits) -> None:
    """No request, no run()."""
    assert ready_in(0, oldest, limit) is None


@given(st.integers(1, 10_000), waited, st.integers(1, 512))
def test_by_default_whatever_waits_is_a_batch_at_once(waiting: int, oldest: float, size: int) -> None:
    """Take what is waiting, never wait for more."""
    assert ready_in(waiting, oldest, BatchLimits(size)) == 0


@given(st.integers(1, 10_000), waited, limits)
def test_a_full_batch_does_not_wait(waiting: int, oldest: float, limit: BatchLimits) -> None:
    """Full: now. Not full: never longer than the oldest request's rest of max_delay."""
    delay = ready_in(waiting, oldest, limit)
    assert delay is not None
    assert delay == 0 if waiting >= limit.max_size else 0 <= delay <= limit.max_delay


@given(st.integers(1, 10_000), waited, limits)
def test_after_that_delay_it_is_a_batch(waiting: int, oldest: float, limit: BatchLimits) -> None:
    """Whoever waits as long as it was told need not ask a third time."""
    delay = ready_in(waiting, oldest, limit) or 0.0
    assert (ready_in(waiting, oldest + delay, limit) or 0.0) < 1e-9
