"""An image by digest: what a tag means when the deployment is written is what every device runs."""

from collections.abc import Callable
from pathlib import Path

from ...errors import PackagingError
from .oci import Layout
from .reference import ImageReference


def pin(
    name: ImageReference, ask: Callable[[ImageReference], str], layout: Path | None = None
) -> tuple[ImageReference, str]:
    """Pin a tag by the registry's word, else by the image that ``build`` left in a layout on this machine.

    Args:
        name: of the image; a digest in it stays and nothing is asked.
        ask: gives the digest that the registry has for a tag, empty if it has none; raises PackagingError.
        layout: the OCI layout's folder; None: the one that ``build`` uses by default.

    Returns:
        the image by digest, and why the registry has not confirmed it; empty if it has, or if it was given.

    Raises:
        PackagingError: neither knows it; why the registry does not is in the sentence.
    """
    if name.digest:
        return name, ""
    try:
        digest = ask(name)
        trouble = f"{name.host} has no {name.repository}:{name.tag}, push it"
    except PackagingError as error:
        digest, trouble = "", str(error)
    if digest:
        return name._replace(digest=digest), ""
    try:
        digest = Layout(layout).find(str(name)).digest
    except PackagingError as error:
        raise PackagingError(f"{trouble}; {error}") from error
    return name._replace(digest=digest), f"pinned by what build left here: {trouble}"
