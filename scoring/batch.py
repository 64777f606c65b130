"""How batches are made: what ``@batched`` says of them, and their limits; no clock, no asyncio, no thread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from .errors import meant

F = TypeVar("F", bound=Callable[..., object])

_MARK = "__scoring_batched__"


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What ``@batched`` was given."""

    max_size: int = 64
    bisect: bool = True
    check: Callable[[Any], object] | None = None


@overload
def batched(run: F, /) -> F: ...
@overload
def batched(
    *, max_size: int = 64, bisect: bool = True, check: Callable[[Any], object] | None = None
) -> Callable[[F], F]: ...
def batched(
    run: F | None = None,
    /,
    *,
    max_size: int = 64,
    bisect: bool = True,
    check: Callable[[Any], object] | None = None,
    **unknown: object,
) -> F | Callable[[F], F]:
    """Mark ``run(requests)`` as taking a list of decoded requests and giving one prediction each, same order.

    Args:
        run: the function, when used without arguments.
        max_size: requests in one call at most.
        bisect: False when a call has side effects: a failing batch is then not tried again in halves.
        check: called with each request before run() sees it; a request for which it raises, or gives False, goes to
            the errors output. A script that keeps state is so spared a batch that fails and is fed to it again.
        unknown: what it does not take, to be named with what it does.

    Raises:
        TypeError: it is given something else.
        ValueError: max_size is less than 1, or no whole number.
    """
    takes = tuple(BatchOptions.__dataclass_fields__)
    for name in unknown:
        raise TypeError(f"@batched takes {', '.join(takes)}, no {name}{meant(name, takes)}")
    if run is not None and not callable(run):
        raise TypeError(f"@batched({run!r}) is unclear: write @batched(max_size={run!r})")
    if not isinstance(max_size, int) or max_size < 1:
        raise ValueError(f"@batched has max_size={max_size!r}: it must be a whole number, at least 1")

    def mark(function: F) -> F:
        function.__dict__[_MARK] = BatchOptions(max_size, bisect, check)
        return function

    return mark if run is None else mark(run)


def batch_options(run: Callable[..., object]) -> BatchOptions | None:
    """Give what ``@batched`` said of a run(); None if it is not marked."""
    return getattr(run, _MARK, None)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may become, and how long its first request may wait for others.

    Attributes:
        max_size: requests in one run() at most.
        max_delay: seconds that the oldest request waits for a fuller batch; 0 takes what is there.
        tries: of a request that fails for a reason outside of it, before it has to prove that by one that succeeds.
        gives_up: it fails then, without proof: nobody waits for better times.
    """

    max_size: int = 64
    max_delay: float = 0.0
    tries: int = 6
    gives_up: bool = False
