"""The base image: from a registry, an OCI layout, or a tar (``docker save``, or a root file system)."""

from typing import Any, NamedTuple

from ...errors import PackagingError
from ..environment.target import ELF_MACHINE
from ..registry import reference
from ..registry.credentials import Access
from ..registry.oci import LAYER, Descriptor, Layout
from ..registry.pull import pull
from .base_files import from_file, local_path
from .base_info import BaseImageInfo, look

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Base(NamedTuple):
    """A base image whose layers lie in our layout.

    Attributes:
        name: as it was asked for; from a registry ``REGISTRY/NAME:TAG``.
        digest: of its manifest.
        config: its image configuration, decoded.
        layers: as its manifest lists them.
        info: its Python, glibc and system packages.
        remote: whether it came from a registry.
    """

    name: str
    digest: str
    config: dict[str, Any]
    layers: list[Descriptor]
    info: BaseImageInfo
    remote: bool


def open_base(layout: Layout, name: str, pinned: str, platform: str, access: Access) -> Base:
    """Bring a base image into the layout.

    Args:
        layout: where its blobs go.
        name: of an image in a registry, ``oci:DIR[:TAG]``, ``docker-archive:FILE``, or the path of either or of a
            root file system's tar.
        pinned: ``NAME@sha256:…`` that was used before; then no registry is asked if its blobs are here.
        platform: which of its platforms.
        access: how to get at registries.

    Raises:
        PackagingError: it is not there, or has no such platform, no Python or no glibc.
    """
    path = local_path(name)
    if path is not None:
        manifest = from_file(layout, path, name, platform)
    else:
        wanted = reference.parse(name)
        before, _, digest = pinned.partition("@")
        if before == str(wanted) and digest:
            wanted = wanted._replace(digest=digest)
        manifest = pull(layout, wanted, platform, access)
    return _opened(layout, manifest, name if path else str(reference.parse(name)), platform, remote=path is None)


def _opened(layout: Layout, manifest: Descriptor, name: str, platform: str, *, remote: bool) -> Base:
    document = layout.read(manifest.digest)
    config = layout.read(document["config"]["digest"])
    have = f"{config.get('os', 'linux')}/{config.get('architecture', '')}"
    if have != platform:
        raise PackagingError(f"the base image {name} is for {have}: give one for {platform} with --base")
    layers = [_oci_layer(layer) for layer in document["layers"]]
    info = look(layout, manifest.digest, layers)
    if info.machine not in {0, ELF_MACHINE[platform]}:
        raise PackagingError(f"the base image {name} is not for {platform}: give one that is with --base")
    if not info.python:
        raise PackagingError(f"the base image {name} has no Python: give one that has with --base")
    if not info.glibc:
        raise PackagingError(
            f"the base image {name} has no glibc (Alpine?): ONNX Runtime's wheels need one, see --base"
        )
    if not info.libstdcxx:
        raise PackagingError(f"the base image {name} has no libstdc++.so.6: give one that has with --base")
    return Base(name, manifest.digest, config, layers, info, remote)


def _oci_layer(layer: dict[str, Any]) -> Descriptor:
    media_type = LAYER if layer["mediaType"] == _DOCKER_LAYER else str(layer["mediaType"])
    return Descriptor(media_type, str(layer["digest"]), int(layer["size"]))
