"""The base image: from a registry, an OCI layout, or a tar (``docker save``, or a root file system)."""

from typing import NamedTuple

from msgspec import structs

from ...errors import PackagingError, SettingsError
from ..environment.target import ELF_MACHINE
from ..registry import reference
from ..registry.credentials import Access
from ..registry.oci import LAYER, Layout
from ..registry.oci_documents import Descriptor, Document, ImageConfig
from ..registry.pull import pull
from .base_files import from_file
from .base_info import BaseImageInfo, look

_OCI = {"application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER}


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
    config: ImageConfig
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
        SettingsError: it is not there, or has no such platform, no Python or no glibc.
        PackagingError: its registry does not give it.
    """
    manifest = from_file(layout, name, platform)
    remote = manifest is None
    if manifest is None:
        wanted = reference.parse(name)
        name = str(wanted)
        before, _, digest = pinned.partition("@")
        try:
            manifest = pull(layout, wanted._replace(digest=digest) if before == name else wanted, platform, access)
        except PackagingError as error:
            raise PackagingError(
                f"no base image {name}: {error}; --base or SCORING_BASE_IMAGE names another"
            ) from error
    whose = f"the base image {name}"
    config_blob, *layers = layout.read(manifest.digest, Document, whose).parts()
    config = layout.read(config_blob.digest, ImageConfig, whose)
    have = f"{config.os}/{config.architecture}"
    if have != platform:
        raise SettingsError(f"the base image {name} is for {have}: give one for {platform} with --base")
    layers = [structs.replace(each, media_type=_OCI.get(each.media_type, each.media_type)) for each in layers]
    info = look(layout, manifest.digest, layers)
    for good, what in (
        (len(config.rootfs.diff_ids) == len(layers), "says of another number of layers what is in them (rootfs)"),
        (info.machine in {0, ELF_MACHINE[platform]}, f"is not for {platform}"),
        (info.python, "has no Python"),
        (info.glibc, "has no glibc (Alpine?), which ONNX Runtime's wheels need"),
        (info.libstdcxx, "has no libstdc++.so.6"),
    ):
        if not good:
            raise SettingsError(f"the base image {name} {what}: give another with --base")
    return Base(name, manifest.digest, config, layers, info, remote)
