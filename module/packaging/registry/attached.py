"""What is attached to an image: manifests that name it as their ``subject`` (OCI distribution specification 1.1).

A registry that knows them lists them itself (its referrers API, as ACR's) and says so in the header ``OCI-Subject`` of
its answer to a push; for any other the list is an image index under a tag made of the image's digest.
"""

from typing import Any

import msgspec

from ...errors import PackagingError
from .oci import Layout
from .oci_documents import INDEX, Descriptor, Document, decoded
from .registry import Registry

_EMPTY = (b"{}", "application/vnd.oci.empty.v1+json")
_NO_API = {400, 404, 405, 501}


def attach(layout: Layout, subject: Descriptor, document: Descriptor) -> Descriptor:
    """Store the manifest that attaches a document, a blob of the layout, to an image."""
    config, said = layout.put(*_EMPTY), {"artifactType": document.media_type}
    plain = Descriptor(subject.media_type, subject.digest, subject.size)
    made = layout.put_manifest(config, [document], **said, subject=plain)
    return msgspec.structs.replace(made, artifact_type=document.media_type)


def attached_to(registry: Registry, digest: str) -> list[dict[str, Any]]:
    """Give the registry's list of what is attached to a manifest: descriptors, with all that others say in them.

    Raises:
        PackagingError: the registry does not let us look, or gives something else.
    """
    doing = f"look for what is attached to {registry.repository}@{digest}"
    answer = registry.request(
        "GET", f"referrers/{digest}", expected={200, *_NO_API}, headers={"Accept": INDEX}, doing=doing
    )
    if answer.status in _NO_API:
        answer = registry.manifest(tag_of(digest), expected=(200, 404), doing="look for")
    if answer.status == 404:
        return []
    if decoded(answer.content, Document, f"{registry.host} as the list of what is attached").manifests is None:
        raise PackagingError(f"{registry.host} does not let us {doing}: it gives no list")
    listed: list[dict[str, Any]] = msgspec.json.decode(answer.content)["manifests"]
    return listed


def tag_of(digest: str) -> str:
    """Give the tag of the list of what is attached to a manifest."""
    return digest.replace(":", "-")
