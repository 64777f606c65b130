"""A registered model, and how one is named."""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from ...errors import SettingsError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class Model(msgspec.Struct, frozen=True):
    """One version of a registered model.

    Attributes:
        name: what it is registered as.
        version: 1, 2, 3, … without a gap.
        entry: the name of its file or folder.
        sha256: of the file; of a folder, of its listing as ``sha256sum`` would print it.
        size: bytes of all files.
        files: path inside the folder (``.`` for a file) → SHA-256.
        tags, description: what its author said of it.
        created: when, ISO 8601, UTC.
    """

    name: str
    version: int
    entry: str
    sha256: str
    size: int
    files: dict[str, str] = {}
    tags: dict[str, str] = {}
    description: str = ""
    created: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class ModelReference(NamedTuple):
    """``name`` (the highest version), ``name:3`` or ``name@sha256:…`` (8 hexadecimal digits or more)."""

    name: str
    version: int | None = None
    sha256: str = ""

    @classmethod
    def parse(cls, text: str) -> "ModelReference":
        """Read a reference.

        Raises:
            SettingsError: it has none of the three forms.
        """
        match = re.fullmatch(rf"({_NAME.pattern})(?::(\d{{1,9}})|@sha256:([0-9a-f]{{8,64}}))?", text)
        if match is None:
            raise SettingsError(f"{text!r} names no model: write name, name:3 or name@sha256:…")
        return cls(match[1], int(match[2]) if match[2] else None, match[3] or "")


def check_name(name: str) -> None:
    """Refuse a name that a folder or a workspace could not have.

    Raises:
        SettingsError: it is one.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be a model's name: use letters, digits, '-', '_' and '.'")


def hash_of(files: Mapping[str, str]) -> str:
    """Give a model's SHA-256 from those of its files."""
    if set(files) == {"."}:
        return files["."]
    listing = "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()
