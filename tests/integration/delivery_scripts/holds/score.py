"""Holds the interpreter and never lets go: native code that waits, or a regular expression without end."""

import ctypes
import os
import re
import time

from scoring import batched

WHERE = os.environ.get("TEST_HOLD_IN", "run")


def hold():
    if os.environ.get("TEST_HOLD") == "nap":  # without the lock
        time.sleep(100)
    if os.environ.get("TEST_HOLD") == "regex":
        re.match(r"(a+)+$", "a" * 40 + "b")
    ctypes.PyDLL(None).sleep(100)


def init():
    if WHERE == "init":
        hold()


@batched(max_size=16)
def run(requests):
    if any(request["n"] == 30 for request in requests):
        hold()
    return requests
