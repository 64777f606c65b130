"""Measures what a model costs here by provider, threads, streams and rows of a call, within a time limit.

What is measured is chosen from by plan.py and remembered by calibration_cache.py.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from timeit import Timer

import numpy as np

from .plan import CPU, Measurement, Setup
from .sessions import Feeds, Sessions

_CPU_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_OTHER_SIZES = (1, 8, 32, 64, 128)
"""Rows of a call that are tried; few on a GPU, where every stream has to run each of them before the start."""

_GPU_STREAMS = 3
"""At most: three hide the copies (ResNet-50 on an H200: 96–99 % of the device-resident rate)."""

_MAX_BYTES = 64 << 20
_GAIN = 1.02
_SECONDS, _LEAST, _MOST = 0.01, 3, 200
"""One measurement: its seconds, and its calls at least and at most."""


def setups(provider: str, cores: int, *, one_thread: bool) -> list[list[Setup]]:
    """Give the setups to try on a provider, those that share sessions together, fewest streams first.

    Args:
        provider: ONNX Runtime's name.
        cores: that the process may use.
        one_thread: whether more threads would change the predictions.
    """
    if provider != CPU:
        return [[Setup(provider, cores, streams) for streams in range(1, _GPU_STREAMS + 1)]]
    threads = {1} if one_thread else {cores, max(1, cores // 2), 1}
    return [[Setup(CPU, each, streams) for streams in sorted({1, cores // each})] for each in sorted(threads)]


def measure(
    sessions: Sessions, tried: Sequence[Setup], rows: Feeds, *, batches: bool, until: float
) -> Iterator[Measurement]:
    """Measure setups that share sessions.

    Args:
        sessions: of the first setup.
        tried: the setups, fewest streams first; so many as there is time for.
        rows: one row, or one request of a model without a batch axis.
        batches: whether rows share a call.
        until: when to end, on the monotonic clock.
    """
    sizes: tuple[int, ...] = (_CPU_SIZES if tried[0].provider == CPU else _OTHER_SIZES) if batches else (1,)
    alone: Mapping[int, float] = {}
    for setup in tried:
        if alone and time.monotonic() > until:
            return
        sessions.widen(setup.streams)
        costs = _costs(sessions.run_each, sizes, rows, until)
        alone = alone or costs
        yield Measurement(setup, alone, costs)
        best = max(alone, key=lambda size: size / alone[size])
        sizes = tuple(size for size in alone if size >= best / 8)


def repeated(rows: Feeds, times: int) -> Feeds:
    """Repeat one row along the batch axis; one time is what is there, also where there is no such axis."""
    return rows if times == 1 else {name: np.repeat(array, times, axis=0) for name, array in rows.items()}


def _costs(call: Callable[[Feeds], object], sizes: Sequence[int], rows: Feeds, until: float) -> dict[int, float]:
    """Time calls of growing size until two in a row gain nothing, they become too large, or the time is up."""
    costs: dict[int, float] = {}
    best, in_vain = 0.0, 0
    row_bytes = sum(prod(np.shape(array)) * 8 for array in rows.values()) if len(sizes) > 1 else 0
    for size in sizes:
        if costs and (in_vain == 2 or size * row_bytes > _MAX_BYTES or time.monotonic() > until):
            break
        costs[size] = _seconds(partial(call, repeated(rows, size)), until)
        rate = size / costs[size]
        in_vain = 0 if rate > _GAIN * best else in_vain + 1
        best = max(best, rate)
    return costs


def _seconds(call: Callable[[], object], until: float) -> float:
    """Give the lower quartile of a call's seconds; the first call, slower than all later ones, does not count."""
    timed = partial(Timer(call).timeit, 1)
    first, now = timed(), time.monotonic()
    if now > until:
        return first
    times: list[float] = []
    while len(times) < _LEAST or (time.monotonic() - now < _SECONDS and len(times) < _MOST):
        times.append(timed())
    return sorted(times)[len(times) // 4]
