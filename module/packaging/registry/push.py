"""Pushes an image of the layout: only the blobs that the registry lacks, side by side, the tag last, and looks at it.

A tag is written when everything that it means is there, so that nothing is ever half-tagged; pushed is what the
registry shows under the tag afterwards.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from ...errors import PackagingError
from ..http_client import Answer, BusyError, side_by_side, tried
from . import reference
from .attached import attached_to, tag_of
from .credentials import Access
from .oci import BASE_NAME, INDEX, Descriptor, Layout, index_of
from .reference import ImageReference
from .registry import PAUSES_S, Registry
from .upload import Upload

_AT_ONCE = 4

Shown = Callable[[int], object]


class Pushed(NamedTuple):
    """What a push did.

    Attributes:
        digest: of the manifest that the tag means now.
        sent: bytes of blobs that went over the wire.
        mounted: bytes of base layers that the registry took from another of its repositories.
        note: a sentence about what was not pushed beside the image; empty if all of it was.
    """

    digest: str
    sent: int
    mounted: int
    note: str = ""


def push(layout: Layout, name: ImageReference, access: Access) -> Pushed:
    """Push an image to the registry in its name, with a bar a blob on standard error if that is a terminal.

    Raises:
        PackagingError: it is not in the layout, a blob is damaged, or the registry refuses something.
    """
    manifest = layout.find(str(name))
    from_base = manifest.annotations.get(BASE_NAME)
    base = reference.parse(from_base) if from_base else name
    mounts = base.repository if base.host == name.host and base.repository != name.repository else ""
    registry = Registry(name.host, name.repository, access, push=True, mounts=mounts)
    before, document = registry.find(name.tag)
    if before == manifest.digest:
        sent, note = _attach(layout, registry, manifest)
        return Pushed(manifest.digest, sent, 0, note)
    pushed, together = Pushed("", 0, 0), [manifest, *layout.attached(manifest)]
    for known in (_named(document), ()):
        pushed = push_blobs(layout, registry, *together, mounts=mounts, known=known)
        try:
            put_manifest(layout, registry, manifest, name.tag)
            break
        except PackagingError:
            if not known:  # nothing was taken to be there that was not looked for
                raise

    def look() -> None:
        found, _ = registry.find(name.tag)
        if found != manifest.digest:
            is_now = f"means {found or 'nothing'} and not {manifest.digest}"
            raise BusyError(f"{name} was pushed and {is_now}: does somebody else push it?")

    tried(look, PAUSES_S)
    there = {blob.digest for each in together for blob in layout.parts(each)}
    return pushed._replace(note=_attach(layout, registry, manifest, there)[1])


def _attach(layout: Layout, registry: Registry, subject: Descriptor, there: Collection[str] = ()) -> tuple[int, str]:
    """Push what is attached to an image and the registry does not list; gives bytes sent, and why it would not.

    Raises:
        BusyError: the connection broke.
    """
    ours = layout.attached(subject)
    try:
        listed = attached_to(registry, subject.digest) if ours else []
        missing = [each for each in ours if each.digest not in {each.get("digest") for each in listed}]
        sent = push_blobs(layout, registry, *missing, known=there).sent if missing else 0
        answers = side_by_side(lambda each: put_manifest(layout, registry, each, each.digest), missing, _AT_ONCE)
        if not all("OCI-Subject" in answer.headers for answer in answers):  # the registry keeps no list itself
            index = index_of(missing)
            index["manifests"] = [*listed, *index["manifests"]]
            put_manifest(layout, registry, layout.put_json(index, INDEX), tag_of(subject.digest))
    except BusyError:
        raise
    except PackagingError as error:
        return 0, f"the image is pushed, its SBOM and provenance are not: {error}"
    return sent, ""


def push_blobs(
    layout: Layout, registry: Registry, *manifests: Descriptor, mounts: str = "", known: Collection[str] = ()
) -> Pushed:
    """Push what manifests of the layout name and the registry lacks.

    Args:
        layout: where it all lies.
        registry: the repository that it goes to.
        manifests: of an image first, and of artifacts that have it as their subject.
        mounts: another repository of the registry, to take blobs from.
        known: digests that are there already.

    Raises:
        PackagingError: a blob is damaged, or the registry refuses something.
    """
    sizes = {"there": 0, "mounted": 0, "sent": 0}
    parts = [blob for each in manifests for blob in layout.parts(each) if blob != each]
    blobs = {blob.digest: blob for blob in parts if blob.digest not in known}
    with _bars() as bar:

        def one(blob: Descriptor) -> tuple[str, int]:
            if _is_there(registry, blob):
                return "there", blob.size
            return Upload(registry, blob, layout.path(blob.digest), bar(blob)).run(mounts), blob.size

        for how, size in side_by_side(one, blobs.values(), _AT_ONCE):
            sizes[how] += size
    return Pushed(manifests[0].digest, sizes["sent"], sizes["mounted"])


def put_manifest(layout: Layout, registry: Registry, manifest: Descriptor, name: str) -> Answer:
    """Let a tag or the digest mean a manifest whose blobs are there; gives the answer, for ``OCI-Subject`` in it.

    Raises:
        PackagingError: the registry refuses it.
    """
    answer = registry.request(
        "PUT",
        f"manifests/{name}",
        expected={201, 202},
        headers={"Content-Type": manifest.media_type},
        body=layout.path(manifest.digest).read_bytes(),
        doing=f"tag {registry.host}/{registry.repository}:{name}",
    )
    registry.check_digest(answer, manifest.digest)
    return answer


def _named(document: bytes) -> Collection[str]:
    """Give the digests that a registry's manifest names: they are in its repository, or it would not have taken it."""
    try:
        said = orjson.loads(document or b"{}")
        return {str(each["digest"]) for each in (said["config"], *said["layers"])}
    except (orjson.JSONDecodeError, KeyError, TypeError):  # an index, or nothing
        return ()


def _is_there(registry: Registry, blob: Descriptor) -> bool:
    """Look for a blob; an answer that has neither its digest nor its size is not about it."""
    answer = registry.request(
        "HEAD", f"blobs/{blob.digest}", expected={200, 404}, doing=f"look for the blob {blob.digest}"
    )
    said = answer.headers.get("Docker-Content-Digest") or answer.headers.get("Content-Length")
    return answer.status == 200 and said in {blob.digest, str(blob.size)}


@contextmanager
def _bars() -> Iterator[Callable[[Descriptor], Shown]]:
    """Give what begins a bar for a blob, on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most pushes are a pipeline's, and show none
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def begin(blob: Descriptor) -> Shown:
            row = bars.add_task(blob.digest.removeprefix("sha256:")[:12], total=blob.size)
            return lambda at: bars.update(row, completed=at)

        yield begin
