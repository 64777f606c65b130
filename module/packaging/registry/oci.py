"""An OCI image layout on disk: blobs by digest, an index of tags, and what was made from what.

Everything is written under another name and renamed: a full disk or a killed process leaves nothing half-written.
"""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec
import orjson

from ...errors import PackagingError

DEFAULT_LAYOUT = Path("~/.cache/scoring-module/images")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
_UNUSED_S = 30 * 86_400.0


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """What a manifest says of a blob: its media type, digest (``sha256:…``) and size in bytes."""

    media_type: str
    digest: str
    size: int


class Layer(msgspec.Struct, frozen=True):
    """A layer: its blob, the digest of its tar before compression, and what it is for."""

    blob: Descriptor
    diff_id: str
    purpose: str


class Write(Protocol):
    """Takes bytes, as a file's write()."""

    def __call__(self, data: bytes, /) -> object:
        """Take bytes."""


class Layout:
    """An OCI image layout; blobs that no image uses are deleted 30 days after they were last needed."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, made if it is not there: by default SCORING_LAYOUT, else ~/.cache/scoring-module/images.

        Raises:
            PackagingError: it cannot be written.
        """
        self.folder = (folder or Path(os.environ.get("SCORING_LAYOUT") or DEFAULT_LAYOUT)).expanduser().absolute()
        self._blobs, self._notes = self.folder / "blobs" / "sha256", self.folder / "notes"
        with self._explained():
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._notes.mkdir(exist_ok=True)
            if not (self.folder / "oci-layout").exists():
                self._replace(self.folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def path(self, digest: str) -> Path:
        """Give where a blob is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, blob: Descriptor) -> bool:
        """Say whether a blob is there in full, and note that it was needed."""
        path = self.path(blob.digest)
        if not path.is_file() or path.stat().st_size != blob.size:
            return False
        os.utime(path)
        return True

    def read(self, digest: str) -> Any:
        """Give a JSON blob, decoded.

        Raises:
            PackagingError: it is not there, or not what its digest says.
        """
        try:
            content = self.path(digest).read_bytes()
        except OSError as error:
            raise PackagingError(f"{self.folder} has no blob {digest}: build the image again") from error
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise PackagingError(f"{self.path(digest)} is damaged: delete it and build the image again")
        return orjson.loads(content)

    def put(self, content: bytes, media_type: str) -> Descriptor:
        """Store bytes as a blob."""
        return self.write(lambda write: write(content), media_type)

    def put_json(self, document: object, media_type: str) -> Descriptor:
        """Store a JSON document as a blob, its keys sorted."""
        return self.put(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), media_type)

    def write(self, fill: Callable[[Write], object], media_type: str, expected: str = "") -> Descriptor:
        """Store what a function writes as a blob.

        Raises:
            PackagingError: the disk is full or the like, or it is not what ``expected`` says.
        """
        digest = hashlib.sha256()
        with self._explained(), self._draft(self._blobs) as (draft, file):

            def write(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            fill(write)
            file.flush()
            blob = Descriptor(media_type, f"sha256:{digest.hexdigest()}", draft.stat().st_size)
            if expected not in {"", blob.digest}:
                raise PackagingError(f"the blob {expected} arrived damaged, try again: it is {blob.digest}")
            draft.replace(self.path(blob.digest))
        return blob

    def note(self, key: str) -> bytes | None:
        """Give what was remembered under a key."""
        path = self._note(key)
        if not path.is_file():
            return None
        os.utime(path)
        return path.read_bytes()

    def remember(self, key: str, value: bytes) -> None:
        """Remember a value: what was made from the inputs that a key names."""
        with self._explained():
            self._replace(self._note(key), value)

    def tag(self, name: str, manifest: Descriptor) -> None:
        """Let a name mean a manifest from now on."""
        entry = {**msgspec.to_builtins(manifest), "annotations": {REF_NAME: name}}
        with self._explained(), self._locked():
            others = [each for each in self._entries() if each["annotations"][REF_NAME] != name]
            entries = sorted([*others, entry], key=lambda each: str(each["annotations"][REF_NAME]))
            index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
            self._replace(self.folder / "index.json", orjson.dumps(index, option=orjson.OPT_INDENT_2))

    def find(self, name: str) -> Descriptor:
        """Give the manifest that a name means.

        Raises:
            PackagingError: there is none.
        """
        for entry in self._entries():
            if entry["annotations"][REF_NAME] == name:
                return msgspec.convert({key: entry[key] for key in ("mediaType", "digest", "size")}, Descriptor)
        known = ", ".join(str(entry["annotations"][REF_NAME]) for entry in self._entries()) or "none"
        raise PackagingError(f"{self.folder} has no image {name}, build it first (there: {known})")

    def sweep(self) -> None:
        """Delete notes and blobs that no image uses and that nothing has needed for 30 days."""
        used = {digest for entry in self._entries() for digest in self._blobs_of(str(entry["digest"]))}
        before = time.time() - _UNUSED_S
        for path in (*self._blobs.iterdir(), *self._notes.iterdir()):
            if f"sha256:{path.name}" not in used:
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < before:
                        path.unlink()

    def _blobs_of(self, manifest: str) -> list[str]:
        with contextlib.suppress(PackagingError):
            read = self.read(manifest)
            return [manifest, read["config"]["digest"], *(layer["digest"] for layer in read["layers"])]
        return [manifest]

    def _entries(self) -> list[dict[str, Any]]:
        try:
            return list(orjson.loads((self.folder / "index.json").read_bytes())["manifests"])
        except FileNotFoundError:
            return []
        except (OSError, KeyError, orjson.JSONDecodeError) as error:
            raise PackagingError(f"{self.folder / 'index.json'} is damaged: delete it and build again") from error

    def _note(self, key: str) -> Path:
        return self._notes / hashlib.sha256(key.encode()).hexdigest()

    def _replace(self, path: Path, content: bytes) -> None:
        with self._draft(path.parent) as (draft, file):
            file.write(content)
            file.flush()
            draft.replace(path)

    @contextlib.contextmanager
    def _draft(self, folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as file:
            draft = Path(file.name)
            try:
                yield draft, file  # type: ignore[misc]
            finally:
                draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold index.json for a moment: a folder that only one can make; one left by a killed process ages out."""
        lock = self.folder / ".lock"
        until = time.monotonic() + 10
        while True:
            try:
                lock.mkdir()
                break
            except FileExistsError:
                if time.monotonic() > until:
                    raise PackagingError(f"another build has {lock} for 10 s: delete it if none is running") from None
                time.sleep(0.01)
        try:
            yield
        finally:
            lock.rmdir()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = error.filename or self.folder
            raise PackagingError(
                f"cannot write {place}: {error.strerror}; make room or give another --layout"
            ) from error
