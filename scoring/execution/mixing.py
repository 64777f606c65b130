"""May rows share a call? A first dimension that is free need not be one of requests: it may be time."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .sessions import Feeds

_TOLERANCE = 1e-3
"""Beyond the rounding of other kernels, far below what rows do to each other that are averaged or summed up."""

_FEW, _MANY = 3, 16
"""Rows that are made up; the many where only labels tell, which change seldom."""

_REACHES = (1, 100)
"""How far made-up values spread: where activations are not saturated, and where nothing small matters."""

_BRIEF = 0.05
"""Seconds that the few may take for the many to be tried too."""


def is_mixing(run: Callable[[Feeds], Sequence[Any]], feeds: Feeds) -> bool:
    """Say whether the first or the last of some rows gets another output together with the others than alone, or none.

    Args:
        run: runs a call.
        feeds: two rows or more, arrays.

    Raises:
        Exception: what ONNX Runtime raises if the model does not take a row by itself.
    """
    ends = (0, slice(0, 1)), (-1, slice(-1, None))
    alone = [(end, run({name: array[part] for name, array in feeds.items()})) for end, part in ends]
    try:
        together = run(feeds)
    except Exception:  # a shape that is written down for one row somewhere inside of the model
        return True
    count = len(next(iter(feeds.values())))
    return any(
        len(column) != count or not _is_alike(column[end], row[0])
        for end, outputs in alone
        for column, row in zip(together, outputs, strict=True)
    )


def mixes_made_up(run: Callable[[Feeds], Sequence[Any]], row: Feeds) -> bool:
    """Say whether a row beside made-up ones of large spread gets another output than beside copies of itself.

    Both calls have the same shape, so that rounding does not differ. Values that the model refuses prove nothing.

    Args:
        run: runs a call.
        row: one row, arrays.
    """
    for count in (_FEW, _MANY):
        start, telling = time.monotonic(), False
        for reach in _REACHES:
            feeds = {name: _made_up(array, count, reach) for name, array in row.items()}
            with suppress(Exception):
                together = run(feeds)
                telling = any(not len(each) or np.asarray(each[0]).dtype.kind not in "biuUO" for each in together)
                for place in range(count) if count == _MANY else (0, count - 1):
                    copies = {name: np.repeat(array[place : place + 1], count, 0) for name, array in feeds.items()}
                    pairs = zip(together, run(copies), strict=True)
                    if any(not _is_alike(one[place], other[place]) for one, other in pairs):
                        return True
        if telling or time.monotonic() - start > _BRIEF:
            break
    return False


def _made_up(row: Any, count: int, reach: int) -> Any:
    """Give a row and others about it, the last far out; texts stay what they are."""
    kind, shape = row.dtype.kind, (count, *row.shape[1:])
    chance = np.random.default_rng(reach)
    if kind == "f":
        noise = chance.standard_normal(shape) * reach
        noise[0], noise[-1] = 0, 100 * noise[-1]
        made = row + noise
    elif kind in "iub":
        made = chance.integers(0, {"b": 1}.get(kind, reach), shape, endpoint=True)
        made[0] = row[0]
    else:
        return np.repeat(row, count, axis=0)
    with np.errstate(over="ignore"):
        return made.astype(row.dtype)


def _is_alike(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and _is_alike([*one.values()], [*other.values()])
    first, second = np.asarray(one), np.asarray(other)
    if first.shape != second.shape or first.dtype.kind in "biuUO":
        return np.array_equal(first, second)
    first, second = first.astype(np.float64), second.astype(np.float64)
    size = (
        max((abs(value) for value in (first.min(), first.max()) if np.isfinite(value)), default=0.0)
        if first.size
        else 0
    )
    return np.allclose(first, second, rtol=_TOLERANCE, atol=_TOLERANCE * size, equal_nan=True)
