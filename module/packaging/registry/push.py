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
from .credentials import Access
from .oci import Descriptor, Layout
from .reference import ImageReference
from .registry import PAUSES_S, Registry
from .upload import Upload

BASE_NAME = "org.opencontainers.image.base.name"
_AT_ONCE = 4

Shown = Callable[[int], object]


class Pushed(NamedTuple):
    """What a push did.

    Attributes:
        digest: of the manifest that the tag means now.
        sent: bytes of blobs that went over the wire.
        mounted: bytes of base layers that the registry took from another of its repositories.
    """

    digest: str
    sent: int
    mounted: int


def push(layout: Layout, name: ImageReference, access: Access) -> Pushed:
    """Push an image to the registry in its name, with a bar a blob on standard error if that is a terminal.

    Raises:
        PackagingError: it is not in the layout, a blob is damaged, or the registry refuses something.
    """
    manifest = layout.find(str(name))
    from_base = layout.read(manifest.digest).get("annotations", {}).get(BASE_NAME)
    base = reference.parse(from_base) if from_base else name
    mounts = base.repository if base.host == name.host and base.repository != name.repository else ""
    registry = Registry(name.host, name.repository, access, push=True, mounts=mounts)
    before, document = registry.find(name.tag)
    if before == manifest.digest:
        return Pushed(manifest.digest, 0, 0)
    pushed = Pushed("", 0, 0)
    for known in (_named(document), ()):
        pushed = push_blobs(layout, registry, manifest, mounts=mounts, known=known)
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
    return pushed


def push_blobs(
    layout: Layout, registry: Registry, manifest: Descriptor, *, mounts: str = "", known: Collection[str] = ()
) -> Pushed:
    """Push what a manifest of the layout names and the registry lacks.

    Args:
        layout: where it all lies.
        registry: the repository that it goes to.
        manifest: of an image, or of an artifact with a subject.
        mounts: another repository of the registry, to take blobs from.
        known: digests that are there already.

    Raises:
        PackagingError: a blob is damaged, or the registry refuses something.
    """
    sizes = {"there": 0, "mounted": 0, "sent": 0}
    blobs = {blob.digest: blob for blob in layout.parts(manifest) if blob != manifest and blob.digest not in known}
    with _bars() as bar:

        def one(blob: Descriptor) -> tuple[str, int]:
            if _is_there(registry, blob):
                return "there", blob.size
            return Upload(registry, blob, layout.path(blob.digest), bar(blob)).run(mounts), blob.size

        for how, size in side_by_side(one, blobs.values(), _AT_ONCE):
            sizes[how] += size
    return Pushed(manifest.digest, sizes["sent"], sizes["mounted"])


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
