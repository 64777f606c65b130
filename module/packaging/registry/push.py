"""Pushes an image of the layout: only the blobs that the registry lacks, side by side, the tag last, and looks at it.

A tag is written when everything that it means is there, so that nothing is ever half-tagged; pushed is what the
registry shows under the tag afterwards.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple

import orjson

from ...errors import PackagingError, SettingsError
from ..http_client import Answer, BusyError, side_by_side, tried
from . import reference
from .attached import attached_to, tag_of
from .credentials import Access
from .oci import BASE_NAME, PUSHED, Layout
from .oci_documents import INDEX, Descriptor, Document, decoded, index_of
from .reference import ImageReference
from .registry import PAUSES_S, Registry
from .upload import Upload

_AT_ONCE = 4
_STALE_S = 5.0

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


def push(
    layout: Layout, name: ImageReference, access: Access, ahead: Callable[[], Looked | None] = lambda: None
) -> Pushed:
    """Push an image to the registry in its name, with a bar a blob on standard error if that is a terminal.

    Args:
        layout: where it lies.
        name: of the image.
        access: how to get at its registry.
        ahead: gives what ``look()`` did a moment ago, or raises what it raised.

    Raises:
        PackagingError: it is not in the layout, a blob is damaged, or the registry refuses something.
    """
    manifest, looked = layout.find(str(name)), None
    with suppress(BusyError):  # it may be better by now
        looked = ahead()
    if looked is None or time.monotonic() - looked.at > _STALE_S:
        looked = look(name, access, manifest.annotations.get(BASE_NAME, ""))
    registry, is_new = looked.registry, looked.digest != manifest.digest
    pushed = _push_image(layout, looked, manifest, name) if is_new else Pushed(manifest.digest, 0, 0)

    def see() -> Pushed:
        found, _ = registry.find(name.tag)
        if found != manifest.digest:
            is_now = f"means {found or 'nothing'} and not {manifest.digest}"
            raise BusyError(f"{name} was pushed and {is_now}: does somebody else push it?")
        return pushed

    def attach() -> Pushed:
        try:
            return pushed._replace(sent=pushed.sent + _attach(layout, registry, manifest, blobs_too=not is_new))
        except BusyError:
            raise
        except PackagingError as error:  # a registry that takes nothing but images
            return pushed._replace(note=f"{name} is pushed, its SBOM and provenance are not: {error}")

    last: list[Callable[[], Pushed]] = [*([partial(tried, see, PAUSES_S)] if is_new else []), attach]
    done = side_by_side(lambda do: do(), last, len(last))[-1]
    layout.once(PUSHED.format(name._replace(digest=manifest.digest)), bool, lambda: True, lambda _: ())
    return done


def _push_image(layout: Layout, looked: Looked, manifest: Descriptor, name: ImageReference) -> Pushed:
    """Push what the registry lacks of an image and of what is attached to it, then the tag."""
    for known in (_named(looked.document), frozenset[str]()):
        pushed = _push_blobs(layout, looked.registry, [manifest, *layout.attached(manifest)], looked.mounts, known)
        try:
            content = layout.path(manifest.digest).read_bytes()
            looked.registry.put_manifest(name.tag, manifest.media_type, content)
            break
        except PackagingError:
            if not known:  # nothing was taken to be there that was not looked for
                raise
    return pushed


def _push_blobs(
    layout: Layout, registry: Registry, manifests: Sequence[Descriptor], mounts: str = "", known: Set[str] = frozenset()
) -> Pushed:
    """Push what manifests name and the registry lacks, side by side; some are known to be there."""
    sizes = {"there": 0, "mounted": 0, "sent": 0}
    parts = [blob for each in manifests for blob in layout.parts(each) if blob != each]
    blobs = {blob.digest: blob for blob in parts if blob.digest not in known}
    with _bars() as bar:

        def one(blob: Descriptor) -> tuple[str, int]:
            return _push_blob(layout, registry, blob, mounts, bar(blob)), blob.size

        for how, size in side_by_side(one, blobs.values(), _AT_ONCE):
            sizes[how] += size
    return Pushed(manifests[0].digest, sizes["sent"], sizes["mounted"])


def _attach(layout: Layout, registry: Registry, subject: Descriptor, *, blobs_too: bool) -> int:
    """Have the registry list what is attached to an image, by itself or in an index under a tag; gives bytes sent."""
    ours = layout.attached(subject)
    listed = attached_to(registry, subject.digest) if ours else []
    missing = [each for each in ours if each.digest not in {each["digest"] for each in listed}]
    if not missing:
        return 0
    sent = _push_blobs(layout, registry, missing).sent if blobs_too else 0

    def put(each: Descriptor) -> Answer:
        return registry.put_manifest(each.digest, each.media_type, layout.path(each.digest).read_bytes())

    answers = side_by_side(put, missing, _AT_ONCE)
    if not all("OCI-Subject" in answer.headers for answer in answers):  # the registry keeps no list itself
        index = index_of(missing)
        index["manifests"] = [*listed, *index["manifests"]]
        registry.put_manifest(tag_of(subject.digest), INDEX, orjson.dumps(index))
    return sent


def _push_blob(layout: Layout, registry: Registry, blob: Descriptor, mounts: str, shown: Shown) -> str:
    """Push a blob of the layout and say how: ``there``, ``mounted`` or ``sent``."""
    answer = registry.request(
        "HEAD", f"blobs/{blob.digest}", expected={200, 404}, doing=f"look for the blob {blob.digest}"
    )
    said = answer.headers.get("Docker-Content-Digest") or answer.headers.get("Content-Length")
    if answer.status == 200 and said in {blob.digest, str(blob.size)}:  # else it is not about this blob
        return "there"
    return Upload(registry, blob, layout.path(blob.digest), shown).run(mounts)


def _named(document: bytes) -> Set[str]:
    """Give the digests that a registry's manifest names: they are in its repository, or it would not have taken it."""
    with suppress(PackagingError):
        return {each.digest for each in decoded(document, Document, "it").parts()}
    return frozenset()


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
