"""Which models this process has loaded, for those who want to know what is really used."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class LoadedModel:
    """A model that a session was made of.

    Attributes:
        path: the file.
        provider: the execution provider that the session prefers.
    """

    path: Path
    provider: str

    @cached_property
    def sha256(self) -> str:
        """The hash of the file, 64 hexadecimal digits; reads it whole the first time."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


MODELS: list[LoadedModel] = []
"""In the order of loading; OnnxModel adds to it."""
