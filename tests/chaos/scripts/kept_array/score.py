"""Keeps one array for its results and overwrites it at each call, as fast scripts do."""

import numpy as np

from scoring import batched

RESULTS = np.zeros((32, 3))


def init():
    pass


@batched(max_size=32)
def run(requests):
    for row, each in enumerate(requests):
        RESULTS[row] = (each["n"], sum(each["values"]), max(each["values"]))
    return RESULTS[: len(requests)]
