"""What is attached to an image: manifests that name it as their ``subject`` (OCI distribution specification 1.1).

A registry that knows them lists them itself (its referrers API, as ACR's) and says so in the header ``OCI-Subject`` of
its answer to a push; for any other the list is an image index under a tag made of the image's digest.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import requests

from ...errors import PackagingError
from .oci import INDEX, Descriptor, Layout, index_of
from .registry import Registry

_EMPTY = (b"{}", "application/vnd.oci.empty.v1+json")
_NO_API = {400, 404, 405, 501}


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
    if answer.status_code in _NO_API:
        answer = registry.manifest(_tag_of(digest), expected=(200, 404), doing="look for")
    if answer.status_code == 404:
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
    listed = attached_to(registry, subject.digest)
    there = {each.get("digest") for each in listed}
    missing = [each for each in layout.attached(subject) if each.digest not in there]
    sent, known = [], True
    for each in missing:
        sent += [blob for blob in layout.parts(each) if blob != each and push_blob(blob) == "sent"]
        answer = _put(registry, each.digest, each.media_type, layout.path(each.digest).read_bytes())
        known &= "OCI-Subject" in answer.headers
    if not known:
        index = index_of(missing)
        index["manifests"] = [*listed, *index["manifests"]]
        _put(registry, _tag_of(subject.digest), INDEX, orjson.dumps(index))
    return sent


def _put(registry: Registry, reference: str, media_type: str, content: bytes) -> requests.Response:
    doing = f"push {registry.repository} {reference}"
    headers = {"Content-Type": media_type}
    return registry.request(
        "PUT", f"manifests/{reference}", expected={200, 201}, headers=headers, body=content, doing=doing
    )


def _tag_of(digest: str) -> str:
    return digest.replace(":", "-")
