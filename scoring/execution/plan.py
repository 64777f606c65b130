"""How a model is best run here: only decides, from costs that calibration.py has measured.

A *setup* is a provider with a number of threads and of streams: calls that run at the same time. A *plan* is a setup
with the most rows of one call.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import ceil

import msgspec

NEAR_BEST = 0.95
"""A shorter call is chosen over one that gives at most this much more: rows wait for each other inside a call."""

CPU = "CPUExecutionProvider"


class Setup(msgspec.Struct, frozen=True):
    """A way to run a model.

    Attributes:
        provider: ONNX Runtime's name of the execution provider.
        threads: that one call uses on the CPU.
        streams: calls that run at the same time.
    """

    provider: str = CPU
    threads: int = 1
    streams: int = 1


class Measured(msgspec.Struct, frozen=True):
    """What a setup costs here.

    Attributes:
        setup: what was measured.
        alone: rows of a call → seconds of one call.
        together: rows of a call → seconds until as many calls as there are streams, begun together, have ended.
    """

    setup: Setup
    alone: Mapping[int, float]
    together: Mapping[int, float]

    def rate(self, rows: int) -> float:
        """Give the rows a second with calls of so many rows."""
        return self.setup.streams * rows / self.together[rows]


class Plan(msgspec.Struct, frozen=True):
    """A setup with its costs and the most rows that one call gets; without costs a call gets every row."""

    measured: Measured
    size: int = 0

    @property
    def setup(self) -> Setup:
        """The way to run the model."""
        return self.measured.setup

    @property
    def pads(self) -> list[int]:
        """The numbers of rows that calls are filled up to: a GPU searches its kernels anew for each it has not seen."""
        return [] if self.setup.provider == CPU else sorted(n for n in self.measured.alone if n <= self.size)

    def split(self, rows: int) -> list[int]:
        """Divide rows among calls, as evenly as they go."""
        if not self.size or rows <= 1:
            return [rows]
        streams, calls = self.setup.streams, ceil(rows / self.size)
        if streams > 1 and (calls > 1 or self._is_faster_divided(rows)):
            calls = ceil(calls / streams) * streams
        calls = min(calls, rows)
        return [rows // calls + (index < rows % calls) for index in range(calls)]

    def _is_faster_divided(self, rows: int) -> bool:
        return _at(self.measured.together, ceil(rows / self.setup.streams)) < _at(self.measured.alone, rows)

    def seconds(self, rows: int) -> float:
        """Say how long rows take; 0 where nothing was measured."""
        if not self.size:
            return 0.0
        calls = self.split(rows)
        if len(calls) == 1:
            return _at(self.measured.alone, rows)
        return ceil(len(calls) / self.setup.streams) * _at(self.measured.together, calls[0])

    def most_within(self, seconds: float, most: int) -> int:
        """Give the number of rows, 1 to ``most``, that take no longer than that; 1 if even that takes longer."""
        return next((rows for rows in range(most, 1, -1) if self.seconds(rows) <= seconds), 1)

    def said(self) -> str:
        """Give the plan in words."""
        if not self.size:
            return "not measured"
        calls = f"{self.setup.streams} calls at a time, each of" if self.setup.streams > 1 else "calls of"
        threads = f", {self.setup.threads} threads" if self.setup.threads > 1 else ""
        return f"{calls} up to {self.size} rows{threads}: {self.measured.rate(self.size):,.0f} rows/s"


def choose(measured: Iterable[Measured], target: float = 0.0) -> Plan | None:
    """Choose the setup and the size of the best throughput; None if nothing was measured.

    Args:
        measured: the setups to choose from.
        target: seconds that a call may take; 0 for any. If none is as fast, the fastest is chosen.
    """
    pairs = [(each, rows) for each in measured for rows in each.together]
    if not pairs:
        return None

    def seconds(pair: tuple[Measured, int]) -> float:
        return pair[0].together[pair[1]]

    fast = [pair for pair in pairs if not target or seconds(pair) <= target] or [min(pairs, key=seconds)]
    best = max(each.rate(rows) for each, rows in fast)
    return Plan(*min((pair for pair in fast if pair[0].rate(pair[1]) >= NEAR_BEST * best), key=seconds))


def _at(costs: Mapping[int, float], rows: int) -> float:
    """Read the cost of so many rows off the measured ones: between two of them on a line, beyond in proportion."""
    points = sorted(costs.items())
    if rows <= points[0][0]:
        return points[0][1]
    for (low, cheap), (high, dear) in pairwise(points):
        if low <= rows <= high:
            return cheap + (dear - cheap) * (rows - low) / (high - low)
    low, cost = points[-1]
    return cost * max(1.0, rows / low)
