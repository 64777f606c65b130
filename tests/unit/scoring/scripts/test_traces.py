"""What is said of an exception is bounded and never raises, whatever the exception does."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoring.scripts.traces import blame, own_traceback

HERE = Path(__file__).parent


class _WordlessError(Exception):
    def __str__(self) -> str:
        raise self


class _ExitsError(Exception):
    def __str__(self) -> str:  # noqa: PLE0307
        sys.exit(3)


class _NoTextError(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


class _ClassRaisesError(Exception):
    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise ValueError("no class")

    __str__ = _WordlessError.__str__


class _StrangeSyntaxError(SyntaxError):
    def __init__(self) -> None:
        super().__init__("bad")
        self.filename, self.text, self.lineno = 5, 7, "x"  # type: ignore[assignment]


@pytest.fixture
def deep() -> Iterator[Callable[[int], None]]:
    """Give a function that raises at a depth."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)

    def down(n: int) -> None:
        if n == 0:
            raise RecursionError("deep")
        down(n - 1)

    yield down
    sys.setrecursionlimit(before)


def raised(function: Callable[[], object]) -> BaseException:
    """Give what a function raises."""
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("kind", [_WordlessError, _ExitsError, _NoTextError, _ClassRaisesError, _StrangeSyntaxError])
def test_an_exception_that_cannot_be_described(kind: type[BaseException]) -> None:
    """Said all the same, with its line where that is known."""
    error = raised(lambda: _raise(kind()))
    assert blame(error, HERE)
    assert isinstance(own_traceback(error, HERE), str)
    if kind is _WordlessError:
        assert blame(error, HERE).startswith("test_traces.py line ")


def test_a_hundred_thousand_frames(deep: Callable[[int], None]) -> None:
    """In well under a second; the innermost are shown."""
    error = raised(lambda: deep(100_000))
    began = time.thread_time()
    said, trace = blame(error, HERE), own_traceback(error, HERE)
    assert time.thread_time() - began < 1
    assert said.endswith("RecursionError: deep")
    assert len(trace) < 5000
    assert 'raise RecursionError("deep")' in trace


def test_a_text_of_a_hundred_megabytes() -> None:
    """Its beginning."""
    error = raised(lambda: _raise(ValueError("x" * 100_000_000)))
    assert len(blame(error, HERE)) < 600
    assert len(own_traceback(error, HERE)) < 2000


def test_causes_without_end() -> None:
    """The nearest; those of a loop too."""
    error = ValueError("0")
    for number in range(1, 50_000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    began = time.thread_time()
    assert own_traceback(error, HERE).count("ValueError") == 4
    assert time.thread_time() - began < 0.5
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert own_traceback(one, HERE).endswith("ValueError: one")
    while (cause := error.__cause__) is not None:  # freed one by one: all at once goes as deep as the chain is long
        error.__cause__, error = None, cause  # type: ignore[assignment]
