"""Rows of one batch as several calls, and their outputs as those of one."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np


def padded(rows: int, pads: Sequence[int]) -> int:
    """Give the number of rows that a call has once it is filled up to the next of ``pads``."""
    place = bisect_left(pads, rows)
    return pads[place] if place < len(pads) else rows


def filled(stacked: Callable[[slice], Mapping[str, Any]], part: slice, pads: Sequence[int]) -> Mapping[str, Any]:
    """Stack a part of the rows as the feeds of a call, and fill them up with copies of the last row."""
    feeds, rows = stacked(part), part.stop - part.start
    missing = padded(rows, pads) - rows
    if not missing:
        return feeds
    return {name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for name, array in feeds.items()}


def joined(outputs: Sequence[Sequence[Any]], sizes: Sequence[int]) -> list[Any]:
    """Give the outputs of several calls as those of one, without what was filled up: arrays, or lists of a ZipMap."""
    if len(outputs) == 1 and len(outputs[0][0]) == sizes[0]:
        return list(outputs[0])
    kept = ([part[:size] for part in call] for call, size in zip(outputs, sizes, strict=True))
    return [
        np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [*chain.from_iterable(parts)]
        for parts in zip(*kept, strict=True)
    ]
