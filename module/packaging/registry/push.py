"""Pushes an image of the layout: only the blobs that the registry lacks, side by side, the tag last, and looks at it.

A tag is written when everything that it means is there, so that nothing is ever half-tagged; pushed is what the
registry shows under the tag afterwards.
"""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import orjson

from ...errors import PackagingError, SettingsError
from ..http_client import Answer, BusyError, side_by_side, tried
from . import reference
from .credentials import Access
from .oci import Descriptor, Layout
from .reference import ImageReference
from .registry import PAUSES_S, Registry
from .upload import Upload

BASE_NAME = "org.opencontainers.image.base.name"
_AT_ONCE = 4
_STALE_S = 5.0

Shown = Callable[[int], object]


def _silent(_: int) -> None:
    """Show nothing."""


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


class Looked(NamedTuple):
    """A registry that was asked what a tag means.

    Attributes:
        registry: the repository, connected.
        digest, document: what the tag means there; empty if there is none.
        mounts: the repository whose blobs its login lets us mount.
        at: when that was, in seconds of the monotonic clock.
    """

    registry: Registry
    digest: str
    document: bytes
    mounts: str
    at: float


def look(name: ImageReference, access: Access, base: str = "") -> Looked:
    """Ask the registry of an image what its tag means; beside a build, since connecting takes longer than all the rest.

    Args:
        name: of the image.
        access: how to get at its registry.
        base: name of the base image, whose layers can be mounted if they are in the same registry; empty: unknown.

    Raises:
        PackagingError: the registry cannot be reached, or refuses us.
    """
    at, mounts = time.monotonic(), ""
    with suppress(SettingsError):  # it may be a file
        parent = reference.parse(base)
        mounts = parent.repository if parent.host == name.host and parent.repository != name.repository else ""
    registry = Registry(name.host, name.repository, access, push=True, mounts=mounts)
    return Looked(registry, *registry.find(name.tag), mounts, at)


def push(layout: Layout, name: ImageReference, access: Access, looked: Looked | None = None) -> Pushed:
    """Push an image to the registry in its name, with a bar a blob on standard error if that is a terminal.

    Args:
        layout: where it lies.
        name: of the image.
        access: how to get at its registry.
        looked: what the tag meant there a moment ago.

    Raises:
        PackagingError: it is not in the layout, a blob is damaged, or the registry refuses something.
    """
    manifest = layout.find(str(name))
    base = str(layout.read(manifest.digest).get("annotations", {}).get(BASE_NAME, ""))
    if looked is None or time.monotonic() - looked.at > _STALE_S:
        looked = look(name, access, base)
    registry, mounts = looked.registry, looked.mounts
    if looked.digest == manifest.digest:
        return Pushed(manifest.digest, 0, 0)
    pushed = Pushed("", 0, 0)
    for known in (_named(looked.document), ()):
        pushed = push_blobs(layout, registry, manifest, mounts=mounts, known=known)
        try:
            put_manifest(layout, registry, manifest, name.tag)
            break
        except PackagingError:
            if not known:  # nothing was taken to be there that was not looked for
                raise

    def see() -> None:
        found, _ = registry.find(name.tag)
        if found != manifest.digest:
            is_now = f"means {found or 'nothing'} and not {manifest.digest}"
            raise BusyError(f"{name} was pushed and {is_now}: does somebody else push it?")

    tried(see, PAUSES_S)
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
            return push_blob(layout, registry, blob, mounts, bar(blob)), blob.size

        for how, size in side_by_side(one, blobs.values(), _AT_ONCE):
            sizes[how] += size
    return Pushed(manifest.digest, sizes["sent"], sizes["mounted"])


def push_blob(layout: Layout, registry: Registry, blob: Descriptor, mounts: str = "", shown: Shown = _silent) -> str:
    """Push a blob of the layout and say how: ``there``, ``mounted`` or ``sent``.

    Raises:
        PackagingError: it is damaged, or the registry refuses it.
    """
    answer = registry.request(
        "HEAD", f"blobs/{blob.digest}", expected={200, 404}, doing=f"look for the blob {blob.digest}"
    )
    said = answer.headers.get("Docker-Content-Digest") or answer.headers.get("Content-Length")
    if answer.status == 200 and said in {blob.digest, str(blob.size)}:  # else it is not about this blob
        return "there"
    return Upload(registry, blob, layout.path(blob.digest), shown).run(mounts)


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


@contextmanager
def _bars() -> Iterator[Callable[[Descriptor], Shown]]:
    """Give what begins a bar for a blob, on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: _silent
        return
    from rich.console import Console  # noqa: PLC0415 - most pushes are a pipeline's, and show none
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def begin(blob: Descriptor) -> Shown:
            row = bars.add_task(blob.digest.removeprefix("sha256:")[:12], total=blob.size)
            return lambda at: bars.update(row, completed=at)

        yield begin
