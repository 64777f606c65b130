"""One message makes run() hang for ever."""

import time

from scoring import batched


def init():
    pass


@batched(max_size=16)
def run(requests):
    if any(request["n"] == 30 for request in requests):
        while True:
            time.sleep(60)
    return requests
