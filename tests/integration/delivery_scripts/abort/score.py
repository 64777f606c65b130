"""One message kills the process, as a bug in native code does."""

import os

from scoring import batched


def init():
    pass


@batched(max_size=16)
def run(requests):
    if any(request["n"] == 500 for request in requests):
        os.abort()
    return requests
