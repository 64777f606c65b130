"""An OCI image layout on disk: blobs by digest, an index of tags, and what was made from what.

Everything is written under another name and renamed: a full disk or a killed process leaves nothing half-written.
"""

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec
import orjson
from msgspec import structs

from ...errors import PackagingError, SettingsError
from ..models.trees import draft_folder, try_lock, unfinished, write_whole
from .oci_documents import DIGEST, Descriptor, Document, decoded, index_of, read_document

T = TypeVar("T")
DEFAULT_LAYOUT = Path("~/.cache/scoring-module/images")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
PUSHED = "pushed {}"  # the key of what is remembered of an image, by digest, that its registry has shown us
BASE_NAME = "org.opencontainers.image.base.name"
_SUBJECT = "scoring.subject"  # on an entry of our index.json: the image that it is attached to
_UNUSED_S, _DRAFT_S = 30 * 86_400.0, 86_400.0


class Layer(msgspec.Struct, frozen=True):
    """A layer: its blob, the digest of its tar before compression, and what it is for."""

    blob: Descriptor
    diff_id: str
    purpose: str


class NewBlob:
    """A blob that is being written.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, file: IO[bytes], expected: Descriptor | None = None) -> None:
        self.size, self._expected = 0, expected
        self._file, self._sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Take bytes; no more than it is said to have."""
        if self._expected is not None and self.size + len(data) > self._expected.size:
            raise PackagingError(f"the blob {self._expected.digest} has more than its {self._expected.size:,} bytes")
        self._sha256.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        """The digest of all that was written."""
        return f"sha256:{self._sha256.hexdigest()}"


class Layout:
    """An OCI image layout; blobs that no image uses are deleted 30 days after they were last needed."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, made if it is not there: by default SCORING_LAYOUT, else ~/.cache/scoring-module/images.

        Raises:
            SettingsError: it is a file.
            PackagingError: it cannot be written.
        """
        self.folder = (folder or Path(os.environ.get("SCORING_LAYOUT") or DEFAULT_LAYOUT)).expanduser().absolute()
        self._blobs = self.folder / "blobs" / "sha256"
        self._notes, self._folders = self.folder / "notes", self.folder / "folders"
        with self._explained():
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._notes.mkdir(exist_ok=True)
            self._folders.mkdir(exist_ok=True)
            if not (self.folder / "oci-layout").exists():
                write_whole(self.folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def path(self, digest: str) -> Path:
        """Give where a blob is, or would be.

        Raises:
            PackagingError: that is no digest: as a path it may lead anywhere.
        """
        if not re.fullmatch(DIGEST, digest):
            raise PackagingError(f"{digest[:80]!r} is no digest: sha256: and 64 digits are one")
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, blob: Descriptor) -> bool:
        """Say whether a blob is there in full, and note that it was needed."""
        path = self.path(blob.digest)
        if not path.is_file() or path.stat().st_size != blob.size:
            return False
        os.utime(path)
        return True

    def read(self, digest: str, kind: Any = Any, whose: object = "") -> Any:
        """Give a JSON blob, decoded.

        Args:
            digest: of the blob.
            kind: what it has to be.
            whose: where it came from, for the sentence; by default this layout.

        Raises:
            PackagingError: it is not there, not what its digest says, or nothing of this kind.
        """
        path = self.path(digest)
        try:
            content = read_document(path.open("rb"))
        except OSError as error:
            raise PackagingError(f"{self.folder} has no blob {digest}: build the image again") from error
        except ValueError as error:
            raise PackagingError(f"{whose or self.folder} has no document {digest}: {error}") from error
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise PackagingError(f"{path} is damaged: delete it and build the image again")
        return decoded(content, kind, whose or self.folder)

    def parts(self, manifest: Descriptor) -> Iterator[Descriptor]:
        """Give a manifest, then the configuration and the layers that it names; of an index its manifests and theirs.

        Raises:
            PackagingError: it is not there, or damaged.
        """
        yield manifest
        document = self.read(manifest.digest, Document)
        for each in document.manifests or ():
            yield from self.parts(each)
        yield from document.parts()

    def put(self, content: bytes, media_type: str) -> Descriptor:
        """Store bytes as a blob."""
        with self.writing() as new:
            new.write(content)
        return Descriptor(media_type, new.digest, new.size)

    def put_json(self, document: object, media_type: str) -> Descriptor:
        """Store a JSON document as a blob, its keys sorted."""
        return self.put(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), media_type)

    def put_manifest(self, config: Descriptor, layers: Sequence[Descriptor], **more: object) -> Descriptor:
        """Store the manifest of an image, or of what is attached to one; ``more`` is what else it says."""
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **more}
        return self.put_json(msgspec.to_builtins(document), MANIFEST)

    @contextlib.contextmanager
    def writing(self, expected: Descriptor | None = None) -> Iterator[NewBlob]:
        """Store what is written within the block as a blob; nothing if the block raises.

        Raises:
            PackagingError: the disk is full or the like, or it is not what ``expected`` says.
        """
        with self._explained(), unfinished(self._blobs) as file:
            new = NewBlob(file, expected)
            yield new
            file.close()  # Windows renames no open file
            if expected is not None and (expected.digest, expected.size) != (new.digest, new.size):
                is_now = f"it is {new.digest} of {new.size:,} bytes and not of {expected.size:,}"
                raise PackagingError(f"the blob {expected.digest} arrived damaged, try again: {is_now}")
            os.replace(file.name, self.path(new.digest))

    def once(self, key: str, kind: type[T], make: Callable[[], T], blobs: Callable[[T], Iterable[Descriptor]]) -> T:
        """Give what was made under this key; made now if it was not yet, by another version, or if a blob is gone.

        Args:
            key: names everything that it is made from.
            kind: its type, which JSON can carry.
            make: makes it.
            blobs: gives the blobs that it stands for.
        """
        note = self._notes / hashlib.sha256(key.encode()).hexdigest()
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):  # another version of ours wrote it
            made = msgspec.json.decode(note.read_bytes(), type=kind)
            os.utime(note)
            if all(self.has(blob) for blob in blobs(made)):
                return made
        made = make()
        with self._explained():
            write_whole(note, msgspec.json.encode(made))
        return made

    def filled(self, key: str, fill: Callable[[Path], object]) -> Path:
        """Give the folder that was filled under this key; filled now if it was not yet."""
        place = self._folders / hashlib.sha256(key.encode()).hexdigest()
        with self._explained():
            if not place.is_dir():
                with draft_folder(self._folders) as draft:
                    fill(draft / "filled")
                    with contextlib.suppress(OSError):  # another build was sooner
                        (draft / "filled").rename(place)
            os.utime(place)
        return place

    def tag(self, name: str, manifest: Descriptor, attached: Iterable[Descriptor] = ()) -> None:
        """Let a name mean a manifest from now on, to which nothing but these manifests is attached."""
        with self._explained(), self._locked():
            tags, others = self.entries()
            tags[name] = structs.replace(manifest, annotations={**manifest.annotations, REF_NAME: name})
            others = [each for each in others if each.annotations[_SUBJECT] != manifest.digest]
            others += [structs.replace(each, annotations={_SUBJECT: manifest.digest}) for each in attached]
            meant = {each.digest for each in tags.values()}
            left = [each for each in others if each.annotations[_SUBJECT] in meant]
            index = index_of([*(tags[each] for each in sorted(tags)), *left])
            write_whole(self.folder / "index.json", orjson.dumps(index, option=orjson.OPT_INDENT_2))

    def find(self, name: str) -> Descriptor:
        """Give the manifest that a name means.

        Raises:
            PackagingError: there is none.
        """
        tags, _ = self.entries()
        if name not in tags:
            near = ", ".join(get_close_matches(name, tags, n=3, cutoff=0.0)) or "none"
            few = f"the nearest of {len(tags)}: {near}" if len(tags) > 3 else f"there: {near}"
            raise PackagingError(f"{self.folder} has no image {name}, build it first ({few})")
        beside = {key: value for key, value in tags[name].annotations.items() if key != REF_NAME}
        return structs.replace(tags[name], annotations=beside)

    def attached(self, manifest: Descriptor) -> list[Descriptor]:
        """Give the manifests that have this one as their subject."""
        _, others = self.entries()
        return [
            structs.replace(each, annotations={}) for each in others if each.annotations[_SUBJECT] == manifest.digest
        ]

    def sweep(self) -> None:
        """Delete what no image uses and nothing has needed for 30 days; drafts, which a kill leaves, after a day."""
        used: set[str] = set()
        tags, others = self.entries()
        for manifest in (*tags.values(), *others):
            with contextlib.suppress(PackagingError):
                used.update(blob.digest for blob in self.parts(manifest))
        kept = (path for folder in (self._blobs, self._notes, self._folders) for path in folder.iterdir())
        for path in (*kept, *self.folder.glob(".*-*")):
            if f"sha256:{path.name}" not in used:
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < time.time() - (_DRAFT_S if path.name.startswith(".") else _UNUSED_S):
                        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def entries(self) -> tuple[dict[str, Descriptor], list[Descriptor]]:
        """Give name → image, and what is attached to the images.

        Raises:
            PackagingError: the index is damaged.
        """
        try:
            document = msgspec.json.decode((self.folder / "index.json").read_bytes(), type=Document)
            entries = document.manifests or []
            return (
                {each.annotations[REF_NAME]: each for each in entries if REF_NAME in each.annotations},
                [each for each in entries if _SUBJECT in each.annotations],
            )
        except FileNotFoundError:
            return {}, []
        except (OSError, ValueError, RecursionError) as error:
            raise PackagingError(f"{self.folder / 'index.json'} is damaged: delete it and build again") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold index.json for a moment; the system lets go of it for a process that dies."""
        until = time.monotonic() + 10
        with (self.folder / "index.lock").open("ab") as file:
            while not try_lock(file):
                if time.monotonic() > until:
                    raise PackagingError(f"another build has {file.name} for 10 s: wait for it, or end it")
                time.sleep(0.01)
            yield

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = error.filename or self.folder
            # A file where a folder should be is what --layout says, anything else is the disk's trouble.
            kind = SettingsError if isinstance(error, FileExistsError | NotADirectoryError) else PackagingError
            raise kind(f"cannot write {place}: {error.strerror}; make room or give another --layout") from error
