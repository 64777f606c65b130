"""Names of images: ``REGISTRY/NAME:TAG`` or ``REGISTRY/NAME@sha256:…``, as docker reads them."""

import re
from typing import NamedTuple

from ...errors import SettingsError

_REPOSITORY = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
_IMAGE = re.compile(
    rf"(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)/)?(?P<repository>{_REPOSITORY})"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DOCKER_HUB = "docker.io"


class ImageReference(NamedTuple):
    """An image in a registry.

    Attributes:
        host: the registry, with its port if it has one.
        repository: such as ``library/python``.
        tag: ``latest`` if none was given.
        digest: ``sha256:…``, empty if it is meant by its tag.
    """

    host: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        end = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{self.host}/{self.repository}{end}"


def parse(text: str) -> ImageReference:
    """Read the name of an image; without a registry it is Docker Hub's.

    Raises:
        SettingsError: it is none.
    """
    match = _IMAGE.fullmatch(text)
    host, repository = (match["host"] or "", match["repository"]) if match else ("", "")
    if host and not ("." in host or ":" in host or host == "localhost"):
        host, repository = "", f"{host}/{repository}"
    if match is None or not re.fullmatch(_REPOSITORY, repository):
        raise SettingsError(f"{text!r} names no image: write REGISTRY/NAME:TAG, without a scheme, in small letters")
    if not host:
        host, repository = _DOCKER_HUB, repository if "/" in repository else f"library/{repository}"
    return ImageReference(host, repository, match["tag"] or "latest", match["digest"] or "")
