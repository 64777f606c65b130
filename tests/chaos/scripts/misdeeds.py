"""What a script can do wrong: the one place for both poison scripts, which put it on their import path."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Mapping
from decimal import Decimal


class _BadList:
    def tolist(self):
        raise ValueError("tolist of a user's object")

    def __str__(self):
        raise ValueError("its text as well")


class _BadKeys(Mapping):
    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        raise RuntimeError("keys of a user's object")

    def __len__(self):
        return 1


class _BadFrame:
    def to_dict(self, *_, **__):
        raise MemoryError("to_dict of a user's object")


class _BadResponse:
    status_code = 200

    def get_data(self):
        raise RuntimeError("a response that raises")

    @property
    def headers(self):
        raise RuntimeError("headers that raise")


class _OwnEnd(BaseException):
    """Derived from what nobody should derive from."""


def _raise(error):
    raise error


def _again(depth):
    return _again(depth + 1)


def _cycle():
    value = []
    value.append(value)
    return value


def _nested():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


def _forever(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(1)


DEEDS = {
    "raise": lambda: _raise(ValueError("this body\n<3> a forged line\nis wrong")),
    "abort": os.abort,
    "exit": lambda: sys.exit(3),
    "_exit": lambda: os._exit(7),
    "hang": lambda: _forever(3600),
    "regex": lambda: re.match(r"(a|aa)+$", "a" * 200 + "b"),
    "tolist": _BadList,
    "keys": _BadKeys,
    "frame": _BadFrame,
    "response": _BadResponse,
    "cycle": _cycle,
    "nested": _nested,
    "huge": lambda: "x" * 300_000,
    "set": lambda: {1, 2},
    "generator": lambda: (n for n in range(3)),
    "memory": lambda: _raise(MemoryError()),
    "timeout": lambda: _raise(TimeoutError("my sensor data base")),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "cancelled": lambda: _raise(asyncio.CancelledError()),
    "own end": lambda: _raise(_OwnEnd("over")),
    "stop": lambda: _raise(StopIteration()),
    "decimal": lambda: {"d": Decimal("1e999999999")},
    "surrogate": lambda: _raise(ValueError("half a character: \ud800")),
    "recursion": lambda: _again(0),
}
