"""Rows of one batch as several calls, and their outputs as those of one."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def filled(feeds: Mapping[str, Any], rows: int, pads: Sequence[int]) -> Mapping[str, Any]:
    """Give the feeds with copies of their last row, up to the next number of rows in ``pads``."""
    missing = padded(rows, pads) - rows
    if not missing:
        return feeds
    return {name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for name, array in feeds.items()}


def padded(rows: int, pads: Sequence[int]) -> int:
    """Give the number of rows that a call has once it is filled up."""
    place = bisect_left(pads, rows)
    return pads[place] if place < len(pads) else rows


def joined(outputs: Sequence[Sequence[Any]], sizes: Sequence[int]) -> list[Any]:
    """Give the outputs of several calls as those of one, without what was filled up."""
    if len(outputs) == 1 and len(outputs[0][0]) == sizes[0]:
        return list(outputs[0])
    kept = ([part[:size] for part in call] for call, size in zip(outputs, sizes, strict=True))
    return [_one(parts) for parts in zip(*kept, strict=True)]


def _one(parts: Sequence[Any]) -> Any:
    """Give arrays as one array, lists of a ZipMap as one list."""
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [each for part in parts for each in part]
