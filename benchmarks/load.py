"""The load: a closed loop of so many messages in flight, bounded in time."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .processes import Server
from .rows import Row

Exchange = Callable[[int], Awaitable[object]]
"""Sends one message for the slot of this number and waits for its answer."""

QUEUED = 512
"""So many in flight are a queue that never runs empty; what a message then takes says nothing of the server."""

START_LIMIT = 60.0
"""Seconds that a server may take until it answers."""


@dataclass
class Subject:
    """A running server that gives right answers.

    Attributes:
        server: its process.
        exchange: sends it one message.
        starts: seconds from its process's start until it was ready; of a first and a second start if they may differ.
        hub: the process between load and server, if there is one.
        runs: requests and run() calls so far, if it tells.
    """

    server: Server
    exchange: Exchange
    starts: tuple[float, ...] = ()
    hub: Server | None = None
    runs: Callable[[], Awaitable[tuple[float, float]]] | None = None

    def load_cpu(self) -> float:
        """Give the CPU seconds of load and hub."""
        return time.process_time() + (self.hub.cpu() if self.hub else 0.0)


async def closed_loop(exchange: Exchange, in_flight: int, seconds: float) -> tuple[list[float], float]:
    """Keep so many messages in flight; gives the seconds that each took, sorted, and how long all of it took."""
    taken: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def slot(number: int) -> None:
        while (sent := time.perf_counter()) < end:
            await exchange(number)
            taken.append(time.perf_counter() - sent)

    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*[slot(number) for number in range(in_flight)])
    return sorted(taken), time.perf_counter() - began


async def measured(subject: Subject, in_flight: int, seconds: float, row: Row) -> Row:
    """Warm up, then fill the row with what a closed loop of so many in flight gives."""
    await closed_loop(subject.exchange, in_flight, min(1.0, seconds / 2))
    gc.collect()
    runs = await subject.runs() if subject.runs else (0.0, 0.0)
    cpu, own = subject.server.cpu(), subject.load_cpu()
    taken, passed = await closed_loop(subject.exchange, in_flight, seconds)
    row.rate, row.load_core = len(taken) / passed, (subject.load_cpu() - own) / passed
    row.cpu_us = (subject.server.cpu() - cpu) / len(taken) * 1e6
    if in_flight < QUEUED:
        row.p50_us, row.p99_us, row.p999_us = (taken[int(share * len(taken))] * 1e6 for share in (0.5, 0.99, 0.999))
    if subject.runs:
        after = await subject.runs()
        row.batch = (after[0] - runs[0]) / max(after[1] - runs[1], 1)
    return row


async def life(subject: Subject, quiet: float, row: Row) -> Row:
    """Fill the row with memory and start, and if there are ``quiet`` seconds with what waiting costs."""
    row.pss_mib, row.start_s, row.second_start_s = subject.server.pss(), subject.starts[0], subject.starts[-1]
    if quiet:
        await asyncio.sleep(2)
        row.idle_core = await _share(subject, asyncio.sleep(quiet))
        row.core_at_20 = await _share(subject, _twenty_a_second(subject.exchange, quiet))
    return row


async def _share(subject: Subject, meanwhile: Awaitable[None]) -> float:
    before, began = subject.server.cpu(), time.perf_counter()
    await meanwhile
    return (subject.server.cpu() - before) / (time.perf_counter() - began)


async def _twenty_a_second(exchange: Exchange, seconds: float) -> None:
    began = time.perf_counter()
    for number in range(int(seconds * 20)):
        await asyncio.sleep(max(0.0, began + number / 20 - time.perf_counter()))
        await exchange(0)


def check(value: float, expected: float) -> None:
    """Compare predictions. Raises ValueError: they differ by more than float32 explains."""
    if abs(value - expected) > 1e-4 * max(1.0, abs(expected)):
        raise ValueError(f"the prediction is {value}, expected {expected}")
