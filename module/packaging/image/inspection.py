"""What is attached to an image, read and checked: in an OCI layout, a tar of one, or its registry."""

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...errors import PackagingError, SettingsError
from ..registry import reference
from ..registry.credentials import Access
from ..registry.oci import MANIFEST, REF_NAME, Layout
from ..registry.oci_documents import Descriptor, Document, ImageConfig, decoded, read_document
from ..registry.pull import pull_attached
from .base_files import member, place_of
from .documents import PROVENANCE, SBOM

T = TypeVar("T")
Read = Callable[[str], bytes]


class Inspected(NamedTuple):
    """An image and what is attached to it.

    Attributes:
        image: its manifest's digest.
        where: the folder, the file or the registry that has it.
        labels: of the image itself.
        sbom, provenance: the documents, decoded.
        others: media type and digest of what else is attached, such as signatures.
    """

    image: str
    where: str
    labels: dict[str, str]
    sbom: list[dict[str, Any]]
    provenance: list[dict[str, Any]]
    others: list[str]


def inspect(layout: Layout, image: str, access: Callable[[str], Access], *, ask_registry: bool = False) -> Inspected:
    """Find an image and read what is attached to it.

    Args:
        layout: where images are built, and where what a registry gives is kept.
        image: ``oci:DIR[:TAG]``, the path of a layout or of a tar of one, or a name: what was built here, else what
            its registry has.
        access: how to get at a registry, by its host.
        ask_registry: ask the registry even if it was built here.

    Raises:
        SettingsError: there is no such layout or file, or it has no such image.
        PackagingError: the registry does not have it, or something is damaged or of another image.
    """
    place = place_of(image)
    if place is None:
        name = reference.parse(image)
        if not ask_registry and str(name) in layout.entries()[0]:
            place = layout.folder, str(name)
    with _explained(image):
        if place is None:
            manifest, attached = pull_attached(layout, name, access(name.host))
            with _opened(layout.folder) as read:
                return _inspected(f"in the registry {name.host}", manifest, attached, read)
        path, tag = place
        with _opened(path) as read:
            return _inspected(f"in {path}", *_entries(image, tag, read), read)


def lines(found: Inspected) -> list[str]:
    """Give it for people: what it is, what it was made from, what is in it.

    Raises:
        PackagingError: a document is none of its kind.
    """
    with _explained(found.image):
        return [line if line.isprintable() else ascii(line)[1:-1] for line in _lines(found)]


def _lines(found: Inspected) -> Iterator[str]:
    yield f"{found.image} {found.where}"
    yield from (f"  {name} = {value}" for name, value in sorted(found.labels.items()))
    for statement in found.provenance:
        made = statement["predicate"]["buildDefinition"]
        yield f"provenance: {statement['predicateType']}, not signed by itself"
        yield from (f"  {name} = {value}" for name, value in sorted(made["externalParameters"].items()))
        for each in made["resolvedDependencies"]:
            yield f"  from {each['name']} sha256:{each['digest']['sha256']} {each.get('uri', '')}".rstrip()
    for bill in found.sbom:
        yield f"SBOM: {bill['bomFormat']} {bill['specVersion']}, {len(bill['components'])} components"
        yield from (
            f"  {each['type']} {each['name']} {each.get('version', '')}".rstrip() for each in bill["components"]
        )
    yield from (f"also attached: {each}" for each in found.others)


@contextmanager
def _explained(image: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"cannot read the image {image}: {error.strerror or error}") from error
    except tarfile.ReadError as error:  # which tells of each compression that it is not
        raise SettingsError(f"{image} is neither an OCI layout nor a tar of one") from error
    except (tarfile.TarError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise PackagingError(f"what is attached to {image} cannot be read: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Read]:
    """Give what reads a file of a layout, a folder or a tar, of at most the size of a document."""
    if path.is_dir():
        yield lambda name: read_document((path / name).open("rb"))
        return
    with tarfile.open(path) as archive:
        members = {each.name.removeprefix("./"): each for each in archive}
        if "index.json" not in members:
            raise SettingsError(f"{path} is no tar of an OCI layout: it has no index.json")
        yield lambda name: read_document(member(archive, members[name]))


def _entries(image: str, tag: str, read: Read) -> tuple[Descriptor, list[Descriptor]]:
    """Give the image that is meant, and what has it as its subject."""
    entries = decoded(read("index.json"), Document, image).manifests or []
    listed = [each for each in entries if each.media_type == MANIFEST]
    subjects = {each.digest: _document(each.digest, read, Document).subject for each in listed}
    images = {
        each.annotations.get(REF_NAME, each.digest): each
        for each in listed
        if not subjects[each.digest] and tag in {"", each.annotations.get(REF_NAME)}
    }
    if len({each.digest for each in images.values()}) != 1:
        names = ", ".join(each.annotations[REF_NAME] for each in listed if REF_NAME in each.annotations) or "none"
        raise SettingsError(f"{image} means no image or several: add :TAG (there: {names})")
    chosen = next(iter(images.values()))
    return chosen, [each for each in listed if (of := subjects[each.digest]) and of.digest == chosen.digest]


def _document(digest: str, read: Read, kind: type[T]) -> T:
    content = read(f"blobs/sha256/{digest.removeprefix('sha256:')}")
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise ValueError(f"the blob {digest} is damaged")
    return decoded(content, kind, digest)


def _inspected(where: str, image: Descriptor, attached: list[Descriptor], read: Read) -> Inspected:
    config = _document(_document(image.digest, read, Document).parts()[0].digest, read, ImageConfig).config
    found = Inspected(image.digest, where, (config and config.labels) or {}, [], [], [])
    kinds = {SBOM: found.sbom, PROVENANCE: found.provenance}
    for each in attached:
        manifest = _document(each.digest, read, Document)
        config_blob, *layers = manifest.parts()
        kind = manifest.artifact_type or config_blob.media_type
        if kind in kinds:
            kinds[kind].append(_document(layers[0].digest, read, dict[str, Any]))
        else:
            found.others.append(f"{kind} {each.digest}")
    for statement in found.provenance:
        if image.digest.removeprefix("sha256:") not in [each["digest"]["sha256"] for each in statement["subject"]]:
            raise PackagingError(
                f"the provenance that is attached to {image.digest} is of another image: trust neither"
            )
    return found
