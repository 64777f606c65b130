"""Deterministic layers: the same files give the same bytes, whoever packs them and when.

Entries are sorted, owned by root unless said otherwise, dated 1970, and packed by ISA-L's gzip (the wheel ``isal``
carries its own copy, so that the bytes do not depend on the machine's zlib).
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
    with layout.writing() as new:
        gzipped = Gzipped(new)
        with tarfile.open(fileobj=gzipped, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BLOCK) as archive:
            for entry in sorted(entries, key=lambda each: each.path):
                _add(archive, entry)
        gzipped.finish()
    return Layer(Descriptor(LAYER, new.digest, new.size), gzipped.diff_id, purpose)


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


class Gzipped(io.RawIOBase):
    """A file that compresses what it is given and keeps the digest of it."""

    def __init__(self, target: NewBlob) -> None:
        self._target, self._digest = target, hashlib.sha256()
        self._gzip = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)

    @property
    def diff_id(self) -> str:
        """The digest of the tar."""
        return f"sha256:{self._digest.hexdigest()}"

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take bytes of the tar."""
        self._digest.update(data)
        self._target.write(self._gzip.compress(data))
        return len(data)

    def finish(self) -> None:
        """Write what the compressor still holds."""
        self._target.write(self._gzip.flush())


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
