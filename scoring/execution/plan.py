"""How a model is best run here: only decides, from costs that calibration.py has measured.

A *setup* is a provider with a number of threads and of streams: calls that run at the same time. A *plan* is a setup
with the most rows of one call.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from math import ceil

import msgspec

NEAR_BEST = 0.95
"""A shorter call is chosen over one that gives at most this much more: rows wait for each other inside a call."""

CPU = "CPUExecutionProvider"
_MOST_ROWS = 256


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


class Measurement(msgspec.Struct, frozen=True):
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
    """A setup with its costs, the most rows that one call gets, and the seconds that all calls of a batch may take.

    Without costs (``size`` is 0) a call gets every row; without a target (0) a batch may take any time.
    """

    measured: Measurement
    size: int = 0
    target: float = 0.0

    @property
    def setup(self) -> Setup:
        """The way to run the model."""
        return self.measured.setup

    @property
    def pads(self) -> list[int]:
        """The numbers of rows that calls are filled up to: a GPU searches its kernels anew for each it has not seen."""
        return [] if self.setup.provider == CPU else sorted(n for n in self.measured.alone if n <= self.size)

    @property
    def max_rows(self) -> int:
        """The rows of one batch that pay, or that keep to the target; 0 if that is not known or any number does."""
        if self.target and self.size:
            return next((rows for rows in range(_MOST_ROWS, 1, -1) if self.seconds(rows) <= self.target), 1)
        return self.size * self.setup.streams if self.pads else 0

    def split(self, rows: int) -> list[int]:
        """Divide rows among calls, as evenly as they go."""
        if not self.size or rows <= 1:
            return [rows]
        streams, calls = self.setup.streams, ceil(rows / self.size)
        together, alone = self.measured.together, self.measured.alone
        if streams > 1 and (calls > 1 or _at(together, ceil(rows / streams)) < _at(alone, rows)):
            calls = ceil(calls / streams) * streams
        calls = min(calls, rows)
        return [rows // calls + (index < rows % calls) for index in range(calls)]

    def seconds(self, rows: int) -> float:
        """Say how long a batch of so many rows takes; 0 where nothing was measured."""
        if not self.size:
            return 0.0
        calls = self.split(rows)
        if len(calls) == 1:
            return _at(self.measured.alone, rows)
        return ceil(len(calls) / self.setup.streams) * _at(self.measured.together, calls[0])

    def describe(self) -> str:
        """Say in words how the model is run."""
        if not self.size:
            return "not measured"
        calls = f"{self.setup.streams} calls at a time, each of" if self.setup.streams > 1 else "calls of"
        threads = f", {self.setup.threads} threads" if self.setup.threads > 1 else ""
        return f"{calls} up to {self.size} rows{threads}: {self.measured.rate(self.size):,.0f} rows/s"


UNMEASURED = Plan(Measurement(Setup(), {}, {}))


def choose(measured: Iterable[Measurement], target: float = 0.0) -> Plan | None:
    """Choose the setup and the size of the best throughput; None if nothing was measured.

    Args:
        measured: the setups to choose from.
        target: seconds that a call may take; 0 for any. If none is as fast, the fastest is chosen.
    """
    pairs = [(each, rows) for each in measured for rows in each.together]
    if not pairs:
        return None

    def seconds(pair: tuple[Measurement, int]) -> float:
        return pair[0].together[pair[1]]

    fast = [pair for pair in pairs if not target or seconds(pair) <= target] or [min(pairs, key=seconds)]
    best = max(each.rate(rows) for each, rows in fast)
    return Plan(*min((pair for pair in fast if pair[0].rate(pair[1]) >= NEAR_BEST * best), key=seconds), target)


def _at(costs: Mapping[int, float], rows: int) -> float:
    """Read the cost of so many rows off the measured ones: between two of them on a line, beyond in proportion."""
    sizes = sorted(costs)
    place = bisect_left(sizes, rows)
    if place == len(sizes):
        return costs[sizes[-1]] * rows / sizes[-1]
    low, high = sizes[max(0, place - 1)], sizes[place]
    share = (rows - low) / (high - low) if low < high else 0.0
    return costs[low] + (costs[high] - costs[low]) * share
