"""Brings an image of a registry into the layout: its manifest for one platform, its configuration, its layers."""

import hashlib
from collections.abc import Sequence
from functools import partial

from ...errors import PackagingError
from ..http_client import Answer, side_by_side, tried
from .attached import attached_to
from .credentials import Access
from .oci import Layout
from .oci_documents import LONGEST_DOCUMENT, Descriptor, Document, decoded
from .reference import ImageReference
from .registry import PAUSES_S, Registry

_AT_ONCE = 4
_MOST_ATTACHED = 100  # the newest: a list may grow with every build


def pull(layout: Layout, image: ImageReference, platform: str, access: Access) -> Descriptor:
    """Give an image's manifest for a platform, with everything that it names in the layout.

    An image meant by its digest whose blobs are here needs no registry.

    Raises:
        PackagingError: the registry does not have it or does not let us have it, or a blob arrives damaged.
    """
    fetch = partial(_pull, layout, image, platform, access)
    if image.digest:
        return layout.once(f"pulled {image} {platform}", Descriptor, fetch, layout.parts)
    manifest = fetch()
    pinned = image._replace(digest=manifest.digest)
    return layout.once(f"pulled {pinned} {platform}", Descriptor, lambda: manifest, layout.parts)


def _pull(layout: Layout, image: ImageReference, platform: str, access: Access) -> Descriptor:
    registry = Registry(image.host, image.repository, access)
    manifest = _manifest(layout, registry, image, platform)
    missing = [blob for blob in layout.parts(manifest) if not layout.has(blob)]
    side_by_side(lambda blob: tried(partial(_fetch, layout, registry, blob), PAUSES_S), missing, _AT_ONCE)
    return manifest


def pull_attached(layout: Layout, image: ImageReference, access: Access) -> tuple[Descriptor, list[Descriptor]]:
    """Bring an image's manifest and configuration, and what is attached to it, but none of its layers.

    Raises:
        PackagingError: the registry does not have it or does not let us have it, or gives what is too long or damaged.
    """
    registry = Registry(image.host, image.repository, access)

    def bring(blob: Descriptor) -> None:
        if blob.size > LONGEST_DOCUMENT:
            raise PackagingError(f"{blob.digest}, which is attached to {image}, has {blob.size:,} bytes: not read")
        if not layout.has(blob):
            tried(partial(_fetch, layout, registry, blob), PAUSES_S)

    def manifest_of(reference: str) -> Descriptor:
        answer, document = _checked(registry, reference)
        if not document.parts():
            raise PackagingError(f"{image} is none of one platform: give the digest of one")
        for each in document.parts()[: None if document.subject else 1]:
            bring(each)
        return layout.put(answer.content, document.media_type)

    manifest = manifest_of(image.digest or image.tag)
    attached = attached_to(registry, manifest.digest)
    return manifest, [manifest_of(each["digest"]) for each in attached[-_MOST_ATTACHED:]]


def choose_platform(manifests: Sequence[Descriptor], platform: str, name: str) -> Descriptor:
    """Give the entry of a platform in an image index.

    Raises:
        PackagingError: there is none.
    """
    have = {f"{each.platform.os}/{each.platform.architecture}": each for each in reversed(manifests) if each.platform}
    if platform not in have:
        raise PackagingError(f"the base image {name} has no {platform} (it has {', '.join(sorted(have))}): see --base")
    return have[platform]


def _manifest(layout: Layout, registry: Registry, image: ImageReference, platform: str) -> Descriptor:
    answer, document = _checked(registry, image.digest or image.tag)
    if document.manifests is not None:
        chosen = choose_platform(document.manifests, platform, str(image))
        answer, document = _checked(registry, chosen.digest)
    if not document.parts():
        raise PackagingError(f"{image} has a manifest of a form that no engine writes any more: choose another --base")
    return layout.put(answer.content, document.media_type or answer.headers.get("Content-Type", ""))


def _checked(registry: Registry, reference: str) -> tuple[Answer, Document]:
    answer = registry.manifest(reference)
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if reference.startswith("sha256:") and digest != reference:
        raise PackagingError(f"{registry.host} gave another manifest than {reference}: do not use this registry")
    return answer, decoded(answer.content, Document, registry.host)


def _fetch(layout: Layout, registry: Registry, blob: Descriptor) -> None:
    answer = registry.request(
        "GET",
        f"blobs/{blob.digest}",
        expected={200},
        headers={"Accept-Encoding": "identity"},  # or the digest would be of something unpacked
        stream=True,
        again=False,
        doing=f"pull the blob {blob.digest}",
    )
    with layout.writing(blob) as new:
        for chunk in registry.client.chunks(answer):
            new.write(chunk)
