"""Which setup is chosen, and how rows are divided: pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.execution.plan import CPU, Measurement, Plan, Setup, choose

ONE, TWO_STREAMS, GPU = Setup(CPU, 1), Setup(CPU, 1, 2), Setup("CUDAExecutionProvider", 2, 2)

FLAT = {1: 0.001, 2: 0.002, 4: 0.004, 8: 0.008}
"""Seconds of a model that gains nothing from batches."""
BOUND = {1: 0.001, 2: 0.0011, 4: 0.0012, 8: 0.0016}
"""Of one that is bound by its weights."""


def test_the_best_throughput_is_chosen() -> None:
    """By rows a second of all streams together."""
    plan = choose([Measurement(ONE, BOUND, BOUND), Measurement(TWO_STREAMS, BOUND, {4: 0.0013, 8: 0.0017})])
    assert plan is not None
    assert (plan.setup, plan.size) == (TWO_STREAMS, 8)
    assert plan.describe() == "2 calls at a time, each of up to 8 rows: 9,412 rows/s"


def test_rows_do_not_wait_for_each_other_where_that_gains_nothing() -> None:
    """Among equal rates the shortest call; a model that is slower in batches gets single rows."""
    plan = choose([Measurement(ONE, FLAT, FLAT)])
    assert plan is not None
    assert plan.size == 1
    assert plan.split(5) == [1] * 5
    slower = {1: 0.001, 8: 0.012}
    assert choose([Measurement(ONE, slower, slower)]) == Plan(Measurement(ONE, slower, slower), 1)


@pytest.mark.parametrize(("target", "size"), [(0, 8), (0.00125, 4), (0.00105, 1), (0.0001, 1)])
def test_calls_keep_to_the_latency_target(target: float, size: int) -> None:
    """The best of those that are fast enough; if none is, the fastest."""
    plan = choose([Measurement(ONE, BOUND, BOUND)], target)
    assert plan is not None
    assert plan.size == size


def test_a_batch_stays_within_the_latency_target() -> None:
    """All of its calls together."""
    plan = Plan(Measurement(ONE, FLAT, FLAT), 2, 0.006)
    assert plan.seconds(6) == pytest.approx(0.006)
    assert plan.max_rows == 6
    assert Plan(plan.measured, 2, 0.0001).max_rows == 1


def test_nothing_measured_is_no_plan() -> None:
    """Then a call gets every row."""
    assert choose([]) is None
    plan = Plan(Measurement(ONE, {}, {}))
    assert (plan.split(100), plan.pads, plan.seconds(9), plan.describe()) == ([100], [], 0.0, "not measured")


def test_few_rows_are_not_divided_where_that_takes_longer() -> None:
    """Waking a thread costs more than a small call."""
    together = {1: 0.00115, 2: 0.00118, 4: 0.00125}
    plan = Plan(Measurement(TWO_STREAMS, BOUND, together), 4)
    assert plan.split(2) == [2]
    assert plan.split(4) == [2, 2]
    assert plan.split(9) == [3, 2, 2, 2]


def test_calls_are_filled_up_on_a_gpu_only() -> None:
    """To the sizes that have run before: there each new one is slow the first time."""
    assert Plan(Measurement(ONE, BOUND, BOUND), 4).pads == []
    assert Plan(Measurement(GPU, {32: 0.1, 1: 0.1, 128: 0.2}, {32: 0.1}), 32).pads == [1, 32]


@given(rows=st.integers(1, 1000), size=st.integers(1, 64), streams=st.integers(1, 5), cheap=st.booleans())
def test_every_row_is_in_one_call(rows: int, size: int, streams: int, *, cheap: bool) -> None:
    """None is empty or larger than a call may be, and they differ by at most one row."""
    alone = {size: 1.0}
    plan = Plan(Measurement(Setup(CPU, 1, streams), alone, {size: 0.5 if cheap else 2.0}), size)
    calls = plan.split(rows)
    assert sum(calls) == rows
    assert 1 <= min(calls) <= max(calls) <= size
    assert max(calls) - min(calls) <= 1
