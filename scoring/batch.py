"""When is a batch ready? Only decides: no clock, no asyncio, no thread."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may become, and how long its first request may wait for others.

    Attributes:
        max_size: requests in one run() at most.
        max_delay: seconds that the oldest request waits for a fuller batch; 0 takes what is there.
        tries: of a request that fails for a reason outside of it, before it has to prove that by one that succeeds.
    """

    max_size: int = 64
    max_delay: float = 0.0
    tries: int = 6


def ready_in(waiting: int, oldest_waited: float, limits: BatchLimits) -> float | None:
    """Say in how many seconds the waiting requests are a batch: 0 now, None when none is waiting.

    By default whatever waits is a batch at once: while one runs the next one fills by itself, and a lone request
    is never delayed for company that may not come.
    """
    if waiting == 0:
        return None
    if waiting >= limits.max_size:
        return 0.0
    return max(0.0, limits.max_delay - oldest_waited)
