"""One message makes run() recurse as deep as the stack allows, another raises what cannot be said in words."""

import sys

from scoring import batched


def init():
    sys.setrecursionlimit(1_000_000)


def down(n):
    if n == 0:
        raise RecursionError("deep")
    return down(n - 1) + 1


class WordlessError(Exception):
    def __str__(self):
        raise self


@batched(max_size=1)
def run(requests):
    (request,) = requests
    if request["n"] == 3:
        down(100_000)
    if request["n"] == 5:
        raise WordlessError
    if request["n"] == 7:
        raise ValueError("x" * 100_000_000)
    return requests
