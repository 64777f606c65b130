"""An image by digest: what a tag means when the deployment is written is what every device runs."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...errors import PackagingError
from .oci import Layout
from .reference import ImageReference, parse


class Pinned(NamedTuple):
    """An image by digest.

    Attributes:
        image: ``NAME@sha256:…``.
        registry: where it is, with its port.
        note: why the registry has not confirmed the digest; empty if it has, or if it was given.
    """

    image: str
    registry: str
    note: str = ""


def pin(image: str, ask: Callable[[ImageReference], str], layout: Path | None = None) -> Pinned:
    """Pin ``NAME:TAG`` by the registry's word, else by the image that ``build`` left in a layout on this machine.

    Args:
        image: as given; a digest in it stays and nothing is asked.
        ask: gives the digest that the registry has for a tag, empty if it has none; raises PackagingError.
        layout: the OCI layout's folder; None: the one that ``build`` uses by default.

    Raises:
        SettingsError: it is no image's name.
        PackagingError: neither knows it; why the registry does not is in the sentence.
    """
    name = parse(image)
    if name.digest:
        return Pinned(str(name), name.host)
    try:
        digest = ask(name)
        trouble = f"{name.host} has no {name.repository}:{name.tag}, push it"
    except PackagingError as error:
        digest, trouble = "", str(error)
    if digest:
        return Pinned(str(name._replace(digest=digest)), name.host)
    try:
        digest = Layout(layout).find(str(name)).digest
    except PackagingError as error:
        raise PackagingError(f"{trouble}; {error}") from error
    return Pinned(str(name._replace(digest=digest)), name.host, f"pinned by what build left here: {trouble}")
