"""Deterministic layers: the same files give the same bytes, whoever packs them and when.

Entries are sorted, owned by root unless said otherwise, dated 1970, and packed by ISA-L's gzip (the wheel ``isal``
carries its own copy, so that the bytes do not depend on the machine's zlib).
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from isal import isal_zlib

from ..registry.oci import LAYER, Descriptor, Layer, Layout, NewBlob

_LEVEL = 1
_GZIP = 31  # zlib's wbits for a gzip header, which has no time in it
_BLOCK = 1 << 20


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


def pack(layout: Layout, entries: Iterable[Entry], purpose: str) -> Layer:
    """Write a layer with these entries and the folders that they are in."""

    def fill(layer: Any) -> None:
        with tarfile.open(fileobj=layer, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BLOCK) as archive:
            for entry in sorted(entries, key=lambda each: each.path):
                _add(archive, entry)

    return compressed(layout, fill, purpose)


def compressed(layout: Layout, fill: Callable[[Any], object], purpose: str = "") -> Layer:
    """Write a layer, compressed, of the tar that ``fill`` writes into the file that it is given."""
    with layout.writing() as new:
        gzipped = _Gzipped(new)
        fill(gzipped)
        new.write(gzipped.compressor.flush())
    return Layer(Descriptor(LAYER, new.digest, new.size), f"sha256:{gzipped.digest.hexdigest()}", purpose)


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


class _Gzipped:
    """A file that compresses what it is given and keeps the digest of it."""

    def __init__(self, target: NewBlob) -> None:
        self.target, self.digest = target, hashlib.sha256()
        self.compressor = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.target.write(self.compressor.compress(data))
        return len(data)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
    if entry.source is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(entry.source, bytes):
        info.size = len(entry.source)
        archive.addfile(info, io.BytesIO(entry.source))
    else:
        with entry.source.open("rb") as file:
            info.size = entry.source.stat().st_size
            archive.addfile(info, file)
