"""May rows share a call? A first dimension that is free need not be one of requests: it may be time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .sessions import Feeds

_TOLERANCE = 1e-3
"""Beyond the rounding of other kernels, far below what rows do to each other that are averaged or summed up."""


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
