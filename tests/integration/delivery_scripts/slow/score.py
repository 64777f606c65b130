"""Takes 10 ms for every batch, as a small model on a small device does."""

import os
import time

from scoring import batched

SECONDS = float(os.environ.get("TEST_RUN_SECONDS", "0.01"))


def init():
    pass


@batched(max_size=64)
def run(requests):
    time.sleep(SECONDS)
    return requests
