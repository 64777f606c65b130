"""Rows of one batch as several calls, and their outputs as those of one."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .tensors import Array


def divided(feeds: Mapping[str, Any], sizes: Sequence[int], pads: Sequence[int]) -> list[Mapping[str, Any]]:
    """Give the feeds of each call, filled up with copies of its last row to the next size of ``pads``."""
    if len(sizes) == 1 and not pads:
        return [feeds]
    ends = list(accumulate(sizes))
    return [
        {name: _filled(array[end - size : end], pads) for name, array in feeds.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]


def joined(outputs: Sequence[Sequence[Any]], sizes: Sequence[int]) -> list[Any]:
    """Give the outputs of several calls as those of one, without what was filled up."""
    if len(outputs) == 1 and len(outputs[0][0]) == sizes[0]:
        return list(outputs[0])
    kept = ([part[:size] for part in call] for call, size in zip(outputs, sizes, strict=True))
    return [_one(parts) for parts in zip(*kept, strict=True)]


def _filled(array: Array, pads: Sequence[int]) -> Array:
    place = bisect_left(pads, len(array))
    missing = pads[place] - len(array) if place < len(pads) else 0
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def _one(parts: Sequence[Any]) -> Any:
    """Give arrays as one array, lists of a ZipMap as one list."""
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [each for part in parts for each in part]
