"""A base image that lies in a file or folder: an OCI layout, what ``docker save`` wrote, a root file system's tar."""

import hashlib
import shutil
import tarfile
import time
import zlib
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson

from ...errors import SettingsError
from ..models.trees import hash_file
from ..registry.oci import CONFIG, LAYER, REF_NAME, Descriptor, Layer, Layout
from ..registry.pull import choose_platform
from .layers import compressed

_CHUNK = 1 << 20
_PREFIXES = ("oci:", "docker-archive:")
_SETTLED_S = 10.0  # of a file that changed before that, another change has another time on every file system
_TARS = (".tar", ".tar.gz", ".tgz")


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
            index = (path / "index.json").read_bytes()
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
    def blob(digest: str) -> Path:
        return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    entries = orjson.loads(index)["manifests"]
    tagged = [each for each in entries if not tag or each.get("annotations", {}).get(REF_NAME) == tag]
    if not tagged:
        raise ValueError(f"its index.json names no image {tag}".rstrip())
    chosen = tagged[0]
    document = orjson.loads(blob(chosen["digest"]).read_bytes())
    if "manifests" in document:
        chosen = choose_platform(document["manifests"], platform, str(folder))
        document = orjson.loads(blob(chosen["digest"]).read_bytes())
    for part in (document["config"], *document["layers"], chosen):
        with blob(part["digest"]).open("rb") as file:
            _copy(layout, file, str(part["digest"]))
    return Descriptor(chosen["mediaType"], chosen["digest"], blob(chosen["digest"]).stat().st_size)


def _from_tar(layout: Layout, path: Path, platform: str) -> Descriptor:
    """Import what ``docker save`` wrote, or a root file system as an image of one layer."""
    with tarfile.open(path) as archive:
        names = {member.name.removeprefix("./") for member in archive.getmembers()}
        if "manifest.json" not in names:
            return _root_file_system(layout, archive, platform)
        listed = orjson.loads(_member(archive, "manifest.json").read())[0]
        config = layout.put(_member(archive, listed["Config"]).read(), CONFIG)
        layers = []
        for each in listed["Layers"]:
            with _member(archive, each) as file:
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


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _copy(layout: Layout, file: IO[bytes], expected: str = "") -> Descriptor:
    with layout.writing(expected) as new:
        shutil.copyfileobj(file, new, _CHUNK)
    return Descriptor(LAYER, new.digest, new.size)


def _gzip(layout: Layout, file: IO[bytes]) -> Layer:
    return compressed(layout, lambda layer: shutil.copyfileobj(file, layer, _CHUNK))
