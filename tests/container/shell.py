"""Runs ``scoring-module`` as its users do: a process, what it prints, how it ends."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from parts import PASSWORD, USER, Registry


class Ended(NamedTuple):
    """A process that ended.

    Attributes:
        code: its exit code.
        out, err: what it printed.
        seconds: how long it took, its start included.
    """

    code: int
    out: str
    err: str
    seconds: float

    @property
    def digest(self) -> str:
        """The digest of the image that it built or pushed."""
        return re.findall(r"@(sha256:[0-9a-f]{64})", self.out)[-1]

    @property
    def sent(self) -> int:
        """Bytes of blobs that a push sent."""
        return int(re.findall(r"([0-9,]+) bytes sent", self.out)[-1].replace(",", ""))


def scoring_module(*arguments: str | Path, text: str = "", **variables: str) -> Ended:
    """Run a command to its end."""
    started = time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).parent / "scoring-module", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def build(directory: Path, image: str, base: str, *more: str | Path) -> Ended:
    """Build an image, and say so if that fails; without check, which tests/integration has."""
    ended = scoring_module("build", directory, "--image", image, "--base", base, "--no-check", *more)
    assert ended.code == 0, ended.err
    return ended


def push(registry: Registry, image: str, password: str = PASSWORD) -> Ended:
    """Push an image with a password."""
    ca = ("--ca-file", registry.ca)
    return scoring_module("push", image, "--username", USER, "--password-stdin", *ca, text=f"{password}\n")
