"""What is attached to an image: manifests that name it as their ``subject`` (OCI distribution specification 1.1).

A registry that knows them lists them itself (its referrers API, as ACR's) and says so in the header ``OCI-Subject`` of
its answer to a push; for any other the list is an image index under a tag made of the image's digest.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from ...errors import PackagingError
from ..http_client import Answer, side_by_side
from .oci import INDEX, Descriptor, Layout, index_of
from .registry import Registry

_EMPTY = (b"{}", "application/vnd.oci.empty.v1+json")
_NO_API = {400, 404, 405, 501}
_AT_ONCE = 4


class _Index(msgspec.Struct):
    manifests: list[dict[str, Any]]


def attach(layout: Layout, subject: Descriptor, document: Descriptor) -> Descriptor:
    """Store the manifest that attaches a document, a blob of the layout, to an image."""
    config, said = layout.put(*_EMPTY), {"artifactType": document.media_type}
    plain = Descriptor(subject.media_type, subject.digest, subject.size)
    made = layout.put_manifest(config, [document], **said, subject=plain)
    return msgspec.structs.replace(made, artifact_type=document.media_type)


def attached_to(registry: Registry, digest: str) -> list[dict[str, Any]]:
    """Give the registry's list of what is attached to a manifest, each a descriptor's plain values.

    Raises:
        PackagingError: the registry does not let us look, or gives something else.
    """
    doing = f"look for what is attached to {registry.repository}@{digest}"
    answer = registry.request(
        "GET", f"referrers/{digest}", expected={200, *_NO_API}, headers={"Accept": INDEX}, doing=doing
    )
    if answer.status in _NO_API:
        answer = registry.manifest(_tag_of(digest), expected=(200, 404), doing="look for")
    if answer.status == 404:
        return []
    try:
        return msgspec.json.decode(answer.content, type=_Index).manifests
    except msgspec.MsgspecError as error:
        raise PackagingError(f"{registry.host} does not let us {doing}: it gives no list ({error})") from error


def push_attached(
    layout: Layout, registry: Registry, subject: Descriptor, push_blob: Callable[[Descriptor], str]
) -> list[Descriptor]:
    """Push what the layout has attached to an image and the registry has not; gives the documents that were sent.

    Args:
        layout: where it is.
        registry: which has the image by now.
        subject: the image's manifest.
        push_blob: pushes one blob and says ``sent`` if the registry did not have it.

    Raises:
        PackagingError: the registry refuses something.
    """
    ours = layout.attached(subject)
    listed = attached_to(registry, subject.digest) if ours else []
    there = {each.get("digest") for each in listed}
    missing = [each for each in ours if each.digest not in there]
    blobs = {blob.digest: blob for each in missing for blob in layout.parts(each) if blob != each}
    how = side_by_side(push_blob, blobs.values(), _AT_ONCE)

    def put(each: Descriptor) -> Answer:
        return registry.put_manifest(each.digest, each.media_type, layout.path(each.digest).read_bytes())

    answers = side_by_side(put, missing, _AT_ONCE)
    if not all("OCI-Subject" in answer.headers for answer in answers):
        index = index_of(missing)
        index["manifests"] = [*listed, *index["manifests"]]
        registry.put_manifest(_tag_of(subject.digest), INDEX, orjson.dumps(index))
    return [blob for blob, done in zip(blobs.values(), how, strict=True) if done == "sent"]


def _tag_of(digest: str) -> str:
    return digest.replace(":", "-")
