"""Pushes an image of the layout: only the blobs that the registry lacks, each with one PUT, the tag last.

A tag is written when everything that it means is there, so that nothing is ever half-tagged. ACR takes chunked uploads
hundreds of times slower than one PUT (dotnet/sdk-container-builds#412).
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ...errors import PackagingError
from ..http_client import BusyError, tried
from ..models.trees import hash_file
from . import reference
from .attached import push_attached
from .credentials import Access
from .oci import BASE_NAME, Descriptor, Layout
from .reference import ImageReference
from .registry import PAUSES_S, Registry, next_location

_AT_ONCE = 4


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
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bars = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    pushing = _Pushing(layout, registry, mounts, bars)
    sizes, note = {"there": 0, "mounted": 0, "sent": 0}, ""
    if registry.digest_of(name.tag) != manifest.digest:
        blobs = {blob.digest: blob for blob in layout.parts(manifest) if blob != manifest}
        with bars, ThreadPoolExecutor(_AT_ONCE) as threads:
            results = list(threads.map(pushing.blob, blobs.values()))  # which begins no other after one has failed
        registry.request(
            "PUT",
            f"manifests/{name.tag}",
            expected={200, 201},
            headers={"Content-Type": manifest.media_type},
            body=layout.path(manifest.digest).read_bytes(),
            doing=f"tag {name}",
        )
        for blob, how in zip(blobs.values(), results, strict=True):
            sizes[how] += blob.size
    try:
        for document in push_attached(layout, registry, manifest, pushing.blob):
            sizes["sent"] += document.size
    except BusyError:
        raise
    except PackagingError as error:  # a registry that takes nothing but images
        note = f"{name} is pushed, its SBOM and provenance are not: {error}"
    return Pushed(manifest.digest, sizes["sent"], sizes["mounted"], note)


class _Pushing:
    """One push: its blobs go side by side."""

    def __init__(self, layout: Layout, registry: Registry, mounts: str, progress: Progress) -> None:
        self.layout, self.registry, self.mounts, self.progress = layout, registry, mounts, progress

    def blob(self, blob: Descriptor) -> str:
        """Push one blob and say how: ``there``, ``mounted`` or ``sent``."""
        there = self.registry.request(
            "HEAD", f"blobs/{blob.digest}", expected={200, 404}, doing=f"look for the blob {blob.digest}"
        )
        if there.status_code == 200:
            return "there"
        location = self._begin(blob)
        if not location:
            return "mounted"
        path = self.layout.path(blob.digest)
        if not self.layout.has(blob):
            raise PackagingError(f"{path} is missing or cut short: build the image again")
        with path.open("rb") as file:
            row = blob.digest.removeprefix("sha256:")[:12]
            self._send(blob, self.progress.wrap_file(file, blob.size, description=row), location)
        return "sent"

    def _begin(self, blob: Descriptor, *, again: bool = True) -> str:
        """Begin an upload and give where it goes; empty if the registry mounted the blob instead."""
        mount = f"?mount={quote(blob.digest)}&from={quote(self.mounts)}" if self.mounts else ""
        answer = self.registry.request(
            "POST",
            f"blobs/uploads/{mount}",
            expected={201, 202},
            again=again,
            doing=f"push to {self.registry.repository}",
        )
        return next_location(self.registry, answer) if answer.status_code == 202 else ""

    def _send(self, blob: Descriptor, body: BinaryIO, location: str) -> None:
        """Send a blob with one PUT; after a break go on where the registry says, or begin again."""
        place = ""

        def attempt() -> None:
            nonlocal place
            place = self._resume(blob, body, place) if place else location
            headers = {"Content-Type": "application/octet-stream"}
            if start := body.tell():
                headers["Content-Range"] = f"{start}-{blob.size - 1}"
            url = f"{place}{'&' if '?' in place else '?'}digest={quote(blob.digest)}"
            doing = f"push the blob {blob.digest}"
            try:
                self.registry.request("PUT", url, expected={201}, headers=headers, body=body, again=False, doing=doing)
            except BusyError:
                raise
            except PackagingError:
                path = self.layout.path(blob.digest)
                if f"sha256:{hash_file(path)}" != blob.digest:
                    raise PackagingError(f"{path} is damaged: delete it and build the image again") from None
                raise

        tried(attempt, PAUSES_S)

    def _resume(self, blob: Descriptor, body: BinaryIO, location: str) -> str:
        """Ask how much arrived and set the body to go on there; a registry that has forgotten gets all of it."""
        answer = self.registry.request(
            "GET", location, expected=range(200, 500), again=False, doing="go on with an upload"
        )
        _, _, last = answer.headers.get("Range", "").rpartition("-")
        arrived = int(last) + 1 if answer.status_code == 204 and last.isdigit() and last != "0" else 0
        start = body.seek(arrived if arrived < blob.size else 0)
        return next_location(self.registry, answer) if start else self._begin(blob, again=False) or location
