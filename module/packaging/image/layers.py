"""Deterministic layers: the same files give the same bytes, whoever packs them and when.

Entries are sorted, owned by root unless said otherwise, dated 1970, and packed by ISA-L's gzip (the wheel ``isal``
carries its own copy, so that the bytes do not depend on the machine's zlib).
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterable
from typing import IO, Any

from isal import isal_zlib

from ..registry.oci import LAYER, Layer, Layout, NewBlob
from ..registry.oci_documents import Descriptor
from .contents import Entry, changed

_LEVEL = 1
_GZIP = 31  # zlib's wbits for a gzip header, which has no time in it
_BLOCK = 1 << 20


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
        try:
            file = entry.source.open("rb")
        except OSError as error:
            raise changed(entry) from error
        with file:
            info.size = entry.size if entry.sha256 else os.fstat(file.fileno()).st_size
            reading = _Reading(file, entry)
            archive.addfile(info, reading)  # type: ignore[arg-type]
            if entry.sha256 not in {"", reading.digest.hexdigest()}:
                raise changed(entry)


class _Reading:
    """A file that is packed: keeps the digest of what is read of it, and is never shorter than it was."""

    def __init__(self, file: IO[bytes], entry: Entry) -> None:
        self.file, self.entry, self.digest = file, entry, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise changed(self.entry)
        self.digest.update(data)
        return data
