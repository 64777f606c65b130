"""Waiting for what happens soon, without a time that a busy machine breaks."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], limit: float = 30.0) -> None:
    """Wait until the condition holds; TimeoutError after so many seconds."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - there is no event for everything
            await asyncio.sleep(0.005)


async def turns(count: int = 50) -> None:
    """Let the event loop turn so often: what needs no other thread has happened then, however slow the machine is."""
    for _ in range(count):
        await asyncio.sleep(0)
