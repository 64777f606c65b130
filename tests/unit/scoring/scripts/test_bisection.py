"""A failing batch is halved until only the requests that cause it are left."""

import asyncio
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_parts import scored

from scoring.errors import ModelError, RequestError, RunError, ScoringError

FAILURES: list[BaseException] = [
    ValueError("bad"),
    RequestError("x is missing"),
    SystemExit(1),
    StopIteration(),
    asyncio.CancelledError(),
]


def failing(bad: dict[int, BaseException], calls: list[list[object]] | None = None) -> Callable[[list[object]], object]:
    """Give a run() that raises for the requests in ``bad`` and doubles the others."""

    def run(requests: list[object]) -> object:
        if calls is not None:
            calls.append(list(requests))
        for request in requests:
            if request in bad:
                raise bad[request]
        return [2 * request for request in requests]  # type: ignore[operator]

    return run


@given(st.integers(1, 100), st.dictionaries(st.integers(0, 99), st.sampled_from(FAILURES)))
def test_exactly_the_good_requests_are_scored(count: int, bad: dict[int, BaseException]) -> None:
    """One outcome per request, same order; a bad neighbour harms nobody, and nothing is ever raised."""
    outcomes = scored(failing(bad), range(count))
    assert len(outcomes) == count
    for request, outcome in enumerate(outcomes):
        if request in bad:
            assert isinstance(outcome, RequestError if isinstance(bad[request], RequestError) else RunError)
        else:
            assert outcome == 2 * request


@given(st.integers(1, 128), st.integers(0, 127))
def test_one_bad_request_costs_a_few_calls(count: int, bad: int) -> None:
    """Halving, not one call each: two calls a level at most."""
    calls: list[list[object]] = []
    scored(failing({bad: ValueError()}, calls), range(count))
    assert len(calls) <= 1 + 2 * (count - 1).bit_length()


@given(st.sets(st.integers(0, 30)))
def test_a_wrong_number_of_predictions_is_bisected_too(dropped: set[int]) -> None:
    """A script that leaves requests out harms those only, and no answer goes to a neighbour."""

    def run(requests: list[object]) -> object:
        return [request for request in requests if request not in dropped]

    outcomes = scored(run, range(31))
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, RunError)] == sorted(dropped)
    assert all(outcome == n for n, outcome in enumerate(outcomes) if n not in dropped)


@pytest.mark.parametrize("bad", [{}, {3: ValueError("bad")}])
def test_without_bisecting_run_is_called_once(bad: dict[int, BaseException]) -> None:
    """@batched(bisect=False) is for scripts with side effects: all of a failing batch get its error."""
    calls: list[list[object]] = []
    outcomes = scored(failing(bad, calls), range(5), bisect=False)
    assert calls == [[0, 1, 2, 3, 4]]
    assert all(isinstance(outcome, RunError) for outcome in outcomes) if bad else outcomes == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "run() gave None: expected a list of 1 predictions"),
        ({"y": 1}, "run() gave a value of type dict: expected a list"),
        ("text", "run() gave a value of type str: expected a list"),
        (5, "run() gave a value of type int: expected a list"),
        ([1, 2, 3], "run() gave 3 predictions for 1 requests: expected one per request"),
    ],
)
def test_what_is_no_list_of_predictions_is_named(given: object, sentence: str) -> None:
    """The sentence says what came and what was expected."""
    (outcome,) = scored(lambda _: given, [0])
    assert isinstance(outcome, RunError)
    assert str(outcome).startswith(sentence)


def test_a_data_frame_is_a_prediction_a_row() -> None:
    """Iterated, it would give the names of its columns: one column, one request, and the name left as the answer."""
    frame = pd.DataFrame({"rul": [7, 8]}, index=[1, 0])
    assert scored(lambda _: frame, [1, 2]) == [{"rul": 7}, {"rul": 8}]
    assert scored(lambda _: frame[:1], [1]) == [{"rul": 7}]


@pytest.mark.parametrize("unordered", [set, frozenset])
def test_a_set_has_no_order_to_tell_whose_a_prediction_is(unordered: type) -> None:
    (error,) = scored(lambda _: unordered(["a"]), [1])
    assert isinstance(error, RunError)
    assert f"a value of type {unordered.__name__}: expected a list" in str(error)


def test_any_iterable_of_the_right_length_will_do() -> None:
    """A generator, a tuple, an array: one per request is all that counts; it may even fail half way."""
    assert scored(lambda requests: (r for r in requests), [1, 2]) == [1, 2]
    assert scored(np.array, [1, 2]) == [1, 2]
    outcomes = scored(lambda requests: (10 // r for r in requests), [1, 0, 5])  # type: ignore[operator]
    assert (outcomes[0], outcomes[2]) == (10, 2)
    assert isinstance(outcomes[1], RunError)


def test_the_error_names_the_users_own_line() -> None:
    """One sentence for people, the user's frames and none of ours for the log."""
    (outcome,) = scored(failing({0: ValueError("bad\nmore")}), [0])
    assert isinstance(outcome, RunError)
    assert str(outcome).startswith("run() failed: test_bisection.py line ")
    assert str(outcome).endswith(": ValueError: bad")
    assert "in run" in outcome.user_traceback
    assert "in scored" not in outcome.user_traceback


def test_failures_of_scoring_itself_keep_their_kind() -> None:
    """What OnnxModel raises inside run() is already a sentence."""
    (outcome,) = scored(failing({0: ModelError("the model is gone")}), [0])
    assert isinstance(outcome, ScoringError)
    assert str(outcome) == "the model is gone"
