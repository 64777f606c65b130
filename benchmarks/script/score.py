"""A script that has no model: takes BENCHMARK_RUN_SECONDS a batch."""

import os
import time

from scoring import batched

SECONDS = float(os.environ["BENCHMARK_RUN_SECONDS"])


def init() -> None:
    """Load nothing."""


@batched(max_size=64)
def run(requests: list[object]) -> list[float]:
    """Give a number for each request."""
    if SECONDS:
        time.sleep(SECONDS)
    return [1.0] * len(requests)
