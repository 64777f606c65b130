"""A base image that lies in a file or folder: an OCI layout, what ``docker save`` wrote, a root file system's tar."""

import hashlib
import shutil
import tarfile
import time
import zlib
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from ...errors import SettingsError
from ..models.trees import hash_file
from ..registry.oci import CONFIG, LAYER, REF_NAME, Layer, Layout
from ..registry.oci_documents import Descriptor, Document, decoded, read_document
from ..registry.pull import choose_platform
from .base_info import Member
from .layers import compressed

_CHUNK = 1 << 20
_PREFIXES = ("oci:", "docker-archive:")
_SETTLED_S = 10.0  # of a file that changed before that, another change has another time on every file system
_TARS = (".tar", ".tar.gz", ".tgz")


class _Saved(msgspec.Struct, rename="pascal"):
    """An image in the ``manifest.json`` of what ``docker save`` wrote."""

    config: str
    layers: list[str]


def from_file(layout: Layout, name: str, platform: str) -> Descriptor | None:
    """Import a local base image, once for each content of it, and give its manifest; None if it is one in a registry.

    Raises:
        SettingsError: it cannot be read, or is none.
        PackagingError: it has no such platform.
    """
    if (place := place_of(name)) is None:
        return None
    path, tag = place
    try:
        if path.is_dir():
            index = read_document((path / "index.json").open("rb"))
            digest, read = hashlib.sha256(index).hexdigest(), partial(_from_layout, layout, path, index, tag, platform)
        else:
            digest, read = _digest(layout, path), partial(_from_tar, layout, path, platform)

        def make() -> Descriptor:
            made = read()
            if path.is_file() and hash_file(path) != digest:
                raise SettingsError(f"the base image {name} changed while it was read: build again")
            return made

        return layout.once(f"base 4 {digest} {tag} {platform}", Descriptor, make, layout.parts)
    except OSError as error:
        raise SettingsError(f"cannot read the base image {name}: {error.strerror or error}") from error
    except tarfile.ReadError as error:  # which tells of each compression that it is not
        raise SettingsError(f"the base image {name} is neither an OCI layout nor a tar of an image") from error
    except (tarfile.TarError, EOFError, zlib.error, LookupError, TypeError, ValueError) as error:
        raise SettingsError(f"the base image {name} is neither an OCI layout nor a tar of an image: {error}") from error


def place_of(name: str) -> tuple[Path, str] | None:
    """Give the path and the tag that ``oci:DIR[:TAG]`` or a path mean; None if the name is one in a registry."""
    prefix = next((each for each in _PREFIXES if name.startswith(each)), "")
    if not (prefix or name.startswith((".", "/", "~")) or name.endswith(_TARS) or Path(name).is_file()):
        return None
    rest = name.removeprefix(prefix)
    file, _, tag = rest.partition(":") if prefix == "oci:" else (rest, "", "")
    return Path(file).expanduser(), tag


def _digest(layout: Layout, path: Path) -> str:
    """Give a file's SHA-256; one that has lain there untouched is not read again."""
    state = path.stat()
    stamp = f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
    if time.time() - max(state.st_mtime, state.st_ctime) < _SETTLED_S:
        return hash_file(path)
    return layout.once(f"file 1 {path.absolute()} {stamp}", str, partial(hash_file, path), lambda _: [])


def _from_layout(layout: Layout, folder: Path, index: bytes, tag: str, platform: str) -> Descriptor:
    def blob(each: Descriptor) -> Path:
        return folder / "blobs" / "sha256" / each.digest.removeprefix("sha256:")

    def document(file: Path) -> Document:
        return decoded(read_document(file.open("rb")), Document, folder)

    entries = decoded(index, Document, folder).manifests or []
    tagged = [each for each in entries if tag in {"", each.annotations.get(REF_NAME)}]
    if not tagged:
        raise ValueError(f"its index.json names no image {tag}".rstrip())
    chosen = tagged[0]
    if (manifests := document(blob(chosen)).manifests) is not None:
        chosen = choose_platform(manifests, platform, str(folder))
    parts = document(blob(chosen)).parts()
    if not parts:
        raise ValueError(f"{chosen.digest} is no image manifest")
    for part in (*parts, chosen):
        with blob(part).open("rb") as file:
            _copy(layout, file, part)
    return Descriptor(chosen.media_type, chosen.digest, chosen.size)


def _from_tar(layout: Layout, path: Path, platform: str) -> Descriptor:
    """Import what ``docker save`` wrote, or a root file system as an image of one layer."""
    with tarfile.open(path, tarinfo=Member) as archive:
        names = {each.name.removeprefix("./") for each in archive.getmembers()}
        if "manifest.json" not in names:
            return _root_file_system(layout, archive, platform)
        listed = decoded(read_document(member(archive, "manifest.json")), list[_Saved], path)[0]
        config = layout.put(read_document(member(archive, listed.config)), CONFIG)
        layers = []
        for each in listed.layers:
            with member(archive, each) as file:
                compressed = file.read(2) == b"\x1f\x8b"  # and stays as it is
                file.seek(0)
                layers.append(_copy(layout, file) if compressed else _gzip(layout, file).blob)
        return layout.put_manifest(config, layers)


def _root_file_system(layout: Layout, archive: tarfile.TarFile, platform: str) -> Descriptor:
    tar: Any = archive.fileobj  # what it reads from, decompressed: the digest of a layer's tar is in the configuration
    tar.seek(0)
    layer = _gzip(layout, tar)
    os_name, _, architecture = platform.partition("/")
    config = {
        "os": os_name,
        "architecture": architecture,
        "config": {},
        "history": [{"created_by": "a root file system"}],
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    return layout.put_manifest(layout.put_json(config, CONFIG), [layer.blob])


def member(archive: tarfile.TarFile, of: str | tarfile.TarInfo) -> IO[bytes]:
    """Open a file within a tar.

    Raises:
        KeyError: it is not there, or is none.
    """
    file = archive.extractfile(of)
    if file is None:
        raise KeyError(of)
    return file


def _copy(layout: Layout, file: IO[bytes], expected: Descriptor | None = None) -> Descriptor:
    with layout.writing(expected) as new:
        shutil.copyfileobj(file, new, _CHUNK)
    return Descriptor(LAYER, new.digest, new.size)


def _gzip(layout: Layout, file: IO[bytes]) -> Layer:
    return compressed(layout, lambda layer: shutil.copyfileobj(file, layer, _CHUNK))
