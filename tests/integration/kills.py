"""kill -9 at moments that nobody chooses, and what it cost; benchmarks/kill.py and the tests count in the same way."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from module_process import Module
from simulator_client import until

UNCONFIRMED = 64
"""Answers that may come twice after a kill, at most: so many are sent and not confirmed."""


class Cost(NamedTuple):
    """What kills cost: messages never answered, answers that came twice, most of these in a life, whether in order."""

    lost: int
    duplicates: int
    most: int
    in_order: bool


async def kill_at_random(
    module: Module, answered: Callable[[], Sequence[int]], kills: int, *, pause: float, every: int = 0
) -> list[int]:
    """Kill and start again, each time after some progress and a random wait.

    Args:
        module: the running module.
        answered: gives the numbers of the answered messages, in the order of their answers.
        kills: how many.
        pause: seconds from progress to kill, on average.
        every: answers between two kills at least, so that they come evenly over the messages.

    Returns:
        How many answers there were when each life began.
    """
    lives = [0]
    for kill in range(kills):
        least = max(len(answered()) + 1, kill * every)
        await until(lambda least=least: len(answered()) >= least, 60)  # type: ignore[misc]
        await asyncio.sleep(random.expovariate(1 / pause))
        await module.kill()
        lives.append(len(answered()))
        await module.start()
    return lives


def cost(numbers: Sequence[int], count: int, lives: Sequence[int]) -> Cost:
    """Count what became of the messages 0 to ``count`` - 1."""
    seen: set[int] = set()
    most = 0
    for begin, end in zip(lives, [*lives[1:], len(numbers)], strict=True):
        life = numbers[begin:end]
        most = max(most, sum(number in seen for number in life))
        seen.update(life)
    firsts = list(dict.fromkeys(numbers))
    return Cost(count - len(firsts), len(numbers) - len(firsts), most, firsts == sorted(firsts))
