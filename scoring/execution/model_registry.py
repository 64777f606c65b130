"""Which models this process has loaded, for those who want to know what is really used."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass
class LoadedModel:
    """A model that an OnnxModel was made of; kept true while it lives.

    Attributes:
        path: the file.
        model: gives the OnnxModel while it lives.
        provider: the execution provider in use.
        plan: how it is run, in words.
        trouble: why the provider is not the wanted one; empty if it is.
        seconds: says how long a predict() of so many requests takes; 0 where that was not measured.
        max_rows: requests of one predict() that pay, or that keep to the latency target; 0 if that is not known.
    """

    path: Path
    model: Callable[[], object] = lambda: None
    provider: str = ""
    plan: str = ""
    trouble: str = ""
    seconds: Callable[[int], float] = lambda rows: 0.0
    max_rows: int = 0

    @cached_property
    def sha256(self) -> str:
        """The hash of the file, 64 hexadecimal digits; reads it whole the first time."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


MODELS: list[LoadedModel] = []
"""In the order of loading; OnnxModel adds to it."""
