"""The files and folders of an image: where each is, whose, and what it is made of."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """A file or folder in a layer.

    Attributes:
        path: without a leading slash.
        source: the file, its bytes, or None for a folder.
        mode: such as 0o644.
        owner: user and group id.
    """

    path: str
    source: Path | bytes | None
    mode: int = 0o644
    owner: int = 0


def folders_of(entries: Iterable[Entry], root: str) -> list[Entry]:
    """Give entries for the folders below a root, and the root, that hold these entries."""
    folders = {root}
    for entry in entries:
        parts = entry.path.split("/")[:-1]
        folders |= {"/".join(parts[:depth]) for depth in range(root.count("/") + 1, len(parts) + 1)}
    return [Entry(folder, None, 0o755) for folder in folders]


def file_entry(path: str, source: Path) -> Entry:
    """Give the entry of a file: executable by all if it is by its owner, else only readable."""
    return Entry(path, source, 0o755 if source.stat().st_mode & 0o100 else 0o644)
