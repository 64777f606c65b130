"""How long a failure for a reason outside of the request is believed: decided without clock or thread."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.patience import Patience


def line_of(count: int, fails: dict[int, int], tries: int = 3) -> tuple[list[int], set[int], int]:
    """Run a line of requests one by one as the batcher does; request n fails the first fails[n] times it runs.

    Gives the order in which they were scored or given up, those given up, and how many runs there were.
    """
    patience, waiting, left = Patience(tries), deque(range(count)), dict(fails)
    ended: list[int] = []
    blamed: set[int] = set()
    for runs in range(3_000):
        if not waiting:
            return ended, blamed, runs
        if runs > 1000 and patience.pause and fails.keys() >= set(waiting):
            waiting.append(runs)  # traffic goes on: what is alone in line holds up nobody
        place = patience.place() or 0
        request = waiting[place]
        if left.get(request, 0) <= 0:
            del waiting[place]
            ended.append(request)
            patience.succeeded()
            continue
        left[request] -= 1
        if patience.failed(request, len(waiting)):
            del waiting[place]
            ended.append(request)
            blamed.add(request)
    raise AssertionError("it never ends")


def runs_until_given_up(fails: set[int], count: int, tries: int) -> tuple[set[int], list[float]]:
    """Run a line of requests of which some always fail, for a command that gives up; gives these, and the pauses."""
    patience, waiting, pauses = Patience(tries, gives_up=True), deque(range(count)), [0.0]
    given_up: set[int] = set()
    while waiting:
        pauses.append(0.0)
        if waiting[0] not in fails:
            patience.succeeded()
        elif patience.failed(waiting[0], len(waiting)):
            given_up.add(waiting[0])
        else:
            pauses[-1] = patience.pause
            continue
        waiting.popleft()
    return given_up, [pause for pause in pauses if pause]


def test_where_nobody_waits_it_gives_up_and_tries_the_next_once() -> None:
    """One outage costs one series of tries, and a second series comes only after something was scored."""
    assert runs_until_given_up(set(range(50)), 50, 6) == (set(range(50)), [0.5, 1, 1, 1, 1])
    assert runs_until_given_up({7}, 50, 3) == ({7}, [0.5, 1])
    assert runs_until_given_up({3, 7, 8}, 50, 3) == ({3, 7, 8}, [0.5, 1, 0.5, 1])
    assert runs_until_given_up({3}, 4, 1)[0] == {3}


def test_a_request_that_always_fails_is_found_out_by_the_one_behind_it() -> None:
    ended, blamed, runs = line_of(5, {2: 10_000})
    assert blamed == {2}
    assert ended == [0, 1, 4, 2, 3]
    assert runs == 4 + 3 + 1 + 1  # three tries in line, one alone, and one after the other was scored


@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 60))
def test_an_outage_blames_nobody_and_keeps_the_order(count: int, tries: int, runs: int) -> None:
    """While every run fails nobody is at fault."""
    patience, waiting = Patience(tries), deque(range(count))
    for _ in range(runs):
        place = patience.place() or 0
        assert not patience.failed(waiting[place], count)
        assert (patience.place() or 0) < count


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 4)))
def test_what_comes_back_in_time_is_scored(fails: dict[int, int]) -> None:
    """Fewer failures than tries: nobody is given up, nobody goes out of turn."""
    ended, blamed, _ = line_of(10, fails, tries=6)
    assert ended == list(range(10))
    assert not blamed


@given(st.sets(st.integers(0, 8)))
def test_several_that_always_fail_are_each_found_out(bad: set[int]) -> None:
    """As long as one is there, or comes, that does not."""
    ended, blamed, _ = line_of(10, dict.fromkeys(bad, 10_000))
    assert sorted(ended)[:10] == list(range(10))
    assert blamed == bad


def test_a_request_alone_in_line_waits() -> None:
    """Nobody is held up, and nobody shows that it is at fault."""
    patience = Patience(2)
    assert not any(patience.failed("only", 1) for _ in range(50))
    assert patience.pause == pytest.approx(60)


def test_pauses_grow_and_what_shows_whose_fault_it_is_comes_at_once() -> None:
    patience = Patience(3)
    pauses = []
    for _ in range(4):
        patience.failed("first", 2)
        pauses.append(patience.pause)
    assert pauses == [0.5, 1, 2, 0]
    patience.succeeded()  # the other one
    assert (patience.place(), patience.pause) == (0, 0)
    assert patience.failed("first", 2)
    assert patience.pause == 0
