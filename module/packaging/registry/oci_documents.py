"""What a registry, a layout or a tar says of images, read in one place: what has not this form is one sentence.

A digest names a file of ours and a part of an address, so that nothing but ``sha256:`` and 64 digits is one.
"""

from collections.abc import Sequence
from typing import IO, Annotated, Any, TypeVar

import msgspec

from ...errors import PackagingError

T = TypeVar("T")
LONGEST_DOCUMENT = 64_000_000

DIGEST = r"sha256:[0-9a-f]{64}"
Digest = Annotated[str, msgspec.Meta(pattern=rf"\A{DIGEST}\Z")]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]

INDEX = "application/vnd.oci.image.index.v1+json"


class Platform(msgspec.Struct, frozen=True):
    """What an image runs on, in an index."""

    os: str = ""
    architecture: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a manifest or an index says of a blob.

    Attributes:
        media_type, digest, size: ``sha256:…`` and bytes.
        artifact_type: what it is, if it is attached to an image.
        annotations: of this entry, not of the blob.
        platform: of an image in an index.
    """

    media_type: str
    digest: Digest
    size: Size
    artifact_type: str = ""
    annotations: dict[str, str] = {}
    platform: Platform | None = None


class Document(msgspec.Struct, frozen=True, rename="camel"):
    """An image index (``manifests``), or the manifest of an image or of what is attached to one.

    Attributes:
        media_type, artifact_type: empty if it does not say.
        config, layers: of a manifest.
        manifests: of an index.
        subject: what it is attached to.
    """

    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None

    def parts(self) -> list[Descriptor]:
        """Give a manifest's configuration and layers; of anything else nothing."""
        return [] if self.config is None or self.layers is None else [self.config, *self.layers]


class RootFs(msgspec.Struct, frozen=True):
    """The digests of an image's layers before compression."""

    diff_ids: list[Digest] = []


class Container(msgspec.Struct, frozen=True, rename="pascal"):
    """What an image says of its containers."""

    env: list[str] | None = None
    labels: dict[str, str] | None = None


class ImageConfig(msgspec.Struct, frozen=True):
    """An image configuration, as far as anything is taken of it."""

    architecture: str = ""
    os: str = "linux"
    config: Container | None = None
    rootfs: RootFs = RootFs()
    history: list[dict[str, Any]] | None = None


_WORDS: dict[Any, str] = {Document: "image manifest", ImageConfig: "image configuration"}


def decoded(content: bytes, kind: type[T], whose: object) -> T:
    """Read a document that came from outside.

    Args:
        content: JSON.
        kind: what it has to be.
        whose: who gives it, for the sentence.

    Raises:
        PackagingError: it is none.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        what = _WORDS.get(kind, "document of the form that it has to have")
        raise PackagingError(f"what {whose} gives is no {what}: {error}") from error


def read_document(file: IO[bytes]) -> bytes:
    """Read all of a document that came from outside, unless it is too long for one, and close it.

    Raises:
        ValueError: it is.
    """
    with file:
        content = file.read(LONGEST_DOCUMENT + 1)
    if len(content) > LONGEST_DOCUMENT:
        raise ValueError(f"a document has more than {LONGEST_DOCUMENT:,} bytes")
    return content


def index_of(entries: Sequence[Descriptor]) -> dict[str, Any]:
    """Give an image index, as plain values."""
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": msgspec.to_builtins(entries)}
