"""Base images: what is read of their insides, and the forms in which they come."""

import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from module.errors import PackagingError, SettingsError
from module.packaging.image.base import open_base
from module.packaging.image.base_info import look
from module.packaging.registry import reference
from module.packaging.registry.credentials import Access
from module.packaging.registry.oci import LAYER, Layout
from module.packaging.registry.oci_documents import ImageConfig

_ELF = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little") + bytes(20)
_LIBC = b"...GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\n"
_DIFF_ID = f"sha256:{'1' * 64}"
_DPKG = b"Package: libc6\nStatus: ok\nVersion: 2.36-9\n\nPackage: zlib1g\nVersion: 1:1.2\n"
_GOOD = {
    "usr/bin/python3.11": _ELF,
    "usr/lib/x86_64-linux-gnu/libc.so.6": _LIBC,
    "usr/lib/x86_64-linux-gnu/libstdc++.so.6": b"x",
    "var/lib/dpkg/status": _DPKG,
}


def tar(files: dict[str, bytes], prefix: str = "./") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_a_root_file_system_is_a_base_image(layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "base.tar"
    file.write_bytes(tar(_GOOD))
    base = open_base(layout, str(file), "", "linux/amd64", Access())
    assert (base.info.python, base.info.glibc, base.info.executable) == ("3.11", "2.36", "/usr/bin/python3.11")
    assert base.info.system_packages == {"libc6": "2.36-9", "zlib1g": "1:1.2"}
    assert base.config.rootfs.diff_ids == [f"sha256:{hashlib.sha256(tar(_GOOD)).hexdigest()}"]
    assert not base.remote
    assert open_base(layout, str(file), "", "linux/amd64", Access()) == base


def test_a_base_image_is_known_by_its_content(layout: Layout, tmp_path: Path) -> None:
    """Not by path, size and time, which Bazel, Nix and SOURCE_DATE_EPOCH fix."""
    file, digests = tmp_path / "base.tar", set()
    for version in (b"2.36-9", b"2.36-8"):
        file.write_bytes(tar({**_GOOD, "var/lib/dpkg/status": _DPKG.replace(b"2.36-9", version)}))
        os.utime(file, (1, 1))
        digests.add(made := open_base(layout, str(file), "", "linux/amd64", Access()).digest)
        shutil.move(file, tmp_path / version.decode())
        assert open_base(layout, str(tmp_path / version.decode()), "", "linux/amd64", Access()).digest == made
    assert len(digests) == 2


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_compressed_root_file_system_has_the_digest_of_its_tar(
    layout: Layout, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """Engines check a layer against its diff_id when they unpack it."""
    file = tmp_path / "base.tar.packed"
    file.write_bytes(pack(tar(_GOOD)))
    base = open_base(layout, str(file), "", "linux/amd64", Access())
    assert base.config.rootfs.diff_ids == [f"sha256:{hashlib.sha256(tar(_GOOD)).hexdigest()}"]
    assert gzip.decompress(layout.path(base.layers[0].digest).read_bytes()) == tar(_GOOD)


def test_what_docker_saved_is_a_base_image(layout: Layout, tmp_path: Path) -> None:
    config = {"os": "linux", "architecture": "amd64", "config": {"Env": ["A=b"]}, "rootfs": {"diff_ids": [_DIFF_ID]}}
    listed = [{"Config": "c.json", "Layers": ["l/layer.tar"]}]
    file = tmp_path / "saved.tar"
    parts = {
        "l/layer.tar": tar(_GOOD),
        "c.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(listed).encode(),
    }
    file.write_bytes(tar(parts, ""))
    base = open_base(layout, f"docker-archive:{file}", "", "linux/amd64", Access())
    assert base.config == msgspec.convert(config, ImageConfig)
    assert base.info.python == "3.11"


def test_an_oci_layout_is_a_base_image(layout: Layout, tmp_path: Path) -> None:
    """What one layout has by a tag, another takes as its base; a tag that is not there is named."""
    file = tmp_path / "base.tar"
    file.write_bytes(tar(_GOOD))
    made = open_base(layout, str(file), "", "linux/amd64", Access())
    layout.tag("mine", layout.put_json(layout.read(made.digest), "application/vnd.oci.image.manifest.v1+json"))
    other = Layout(tmp_path / "other")
    assert open_base(other, f"oci:{layout.folder}:mine", "", "linux/amd64", Access()).digest == made.digest
    assert open_base(other, str(layout.folder), "", "linux/amd64", Access()).digest == made.digest
    with pytest.raises(SettingsError, match="names no image yours"):
        open_base(other, f"oci:{layout.folder}:yours", "", "linux/amd64", Access())


@pytest.mark.parametrize(
    ("missing", "words"),
    [("usr/bin/python3.11", "has no Python"), ("libc.so.6", "has no glibc"), ("libstdc++", "has no libstdc")],
)
def test_a_base_image_that_cannot_do_is_refused(layout: Layout, tmp_path: Path, missing: str, words: str) -> None:
    file = tmp_path / "base.tar"
    file.write_bytes(tar({name: content for name, content in _GOOD.items() if missing not in name}))
    with pytest.raises(SettingsError, match=words):
        open_base(layout, str(file), "", "linux/amd64", Access())


def test_a_base_image_for_another_machine_is_refused(layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "base.tar"
    file.write_bytes(tar(_GOOD))
    with pytest.raises(SettingsError, match="is not for linux/arm64"):
        open_base(layout, str(file), "", "linux/arm64", Access())


def test_what_is_no_base_image_is_named(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(b"not a tar")
    with pytest.raises(SettingsError, match="neither an OCI layout nor a tar"):
        open_base(layout, str(tmp_path / "base.tar"), "", "linux/amd64", Access())
    with pytest.raises(SettingsError, match="cannot read the base image"):
        open_base(layout, str(tmp_path / "nothing.tar"), "", "linux/amd64", Access())
    with gzip.open(tmp_path / "cut.tar.gz", "wb") as whole:
        whole.write(tar(_GOOD))
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "cut.tar.gz").read_bytes()[:-40])
    with pytest.raises(SettingsError, match="neither an OCI layout nor a tar"):
        open_base(layout, str(tmp_path / "cut.tar.gz"), "", "linux/amd64", Access())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("python:3.12", "docker.io/library/python:3.12"),
        ("me/python", "docker.io/me/python:latest"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
        ("mcr.microsoft.com/a", "mcr.microsoft.com/a:latest"),
        (f"r.io/a:1@sha256:{'0' * 64}", f"r.io/a@sha256:{'0' * 64}"),
    ],
)
def test_image_names_are_read_as_docker_reads_them(text: str, meant: str) -> None:
    assert str(reference.parse(text)) == meant


@pytest.mark.parametrize(
    "text", ["https://r.io/a:1", "R.io/A:1", "UPPER/x:1", "Me/a/b", "r.io/a:", "", "r.io/a@sha256:1", "r.io/a b"]
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="names no image"):
        reference.parse(text)


@pytest.mark.parametrize("kind", ["file", "name"])
def test_a_layer_that_would_fill_the_memory_is_refused(layout: Layout, tmp_path: Path, kind: str) -> None:
    """Zeros take a thousandth of their room in a layer."""
    info = tarfile.TarInfo("var/lib/dpkg/status" if kind == "file" else "x")
    info.type, info.size = (tarfile.REGTYPE if kind == "file" else tarfile.GNUTYPE_LONGNAME), 1 << 40
    (tmp_path / "base.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    layer = layout.put((tmp_path / "base.tar").read_bytes(), LAYER)
    with pytest.raises(PackagingError, match=r"cannot be read: .* in it has 1,099,511,627,776 bytes"):
        look(layout, layer.digest, [layer])


def test_a_list_of_packages_without_versions_takes_no_time(layout: Layout) -> None:
    layer = layout.put(tar({"var/lib/dpkg/status": b"Package: a\n" * 500_000 + _DPKG}), LAYER)
    started = time.monotonic()
    assert look(layout, layer.digest, [layer]).system_packages == {"libc6": "2.36-9", "zlib1g": "1:1.2"}
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "said",
    [
        {"config": None, "architecture": "amd64", "rootfs": {"diff_ids": [1]}},
        {"architecture": "amd64", "rootfs": None},
        {"architecture": "amd64", "config": {"Env": [5]}},
        {"architecture": "amd64", "config": {"Labels": ["a"]}},
        {"architecture": "amd64", "history": 5},
        [],
    ],
)
def test_an_image_configuration_of_another_form_is_a_sentence(layout: Layout, tmp_path: Path, said: object) -> None:
    parts = {
        "l.tar": tar(_GOOD),
        "c.json": json.dumps(said).encode(),
        "manifest.json": b'[{"Config":"c.json","Layers":["l.tar"]}]',
    }
    (tmp_path / "saved.tar").write_bytes(tar(parts, ""))
    with pytest.raises(PackagingError, match=r"what the base image .* gives is no image configuration: "):
        open_base(layout, str(tmp_path / "saved.tar"), "", "linux/amd64", Access())


def test_an_image_without_a_digest_for_each_layer_is_refused(layout: Layout, tmp_path: Path) -> None:
    """What is built on it would say of our layers what theirs have."""
    config = b'{"architecture": "amd64", "rootfs": {"diff_ids": []}}'
    parts = {"l.tar": tar(_GOOD), "c.json": config, "manifest.json": b'[{"Config":"c.json","Layers":["l.tar"]}]'}
    (tmp_path / "saved.tar").write_bytes(tar(parts, ""))
    with pytest.raises(SettingsError, match="says of another number of layers"):
        open_base(layout, str(tmp_path / "saved.tar"), "", "linux/amd64", Access())


@pytest.mark.parametrize("said", [b"[]", b"{}", b'[{"Config":5}]', b"[" * 100_000])
def test_what_docker_saved_otherwise_is_a_sentence(layout: Layout, tmp_path: Path, said: bytes) -> None:
    (tmp_path / "saved.tar").write_bytes(tar({"manifest.json": said}, ""))
    with pytest.raises((SettingsError, PackagingError), match=r"saved\.tar"):
        open_base(layout, str(tmp_path / "saved.tar"), "", "linux/amd64", Access())


def test_a_layout_may_name_no_file_outside_of_it(layout: Layout, tmp_path: Path) -> None:
    """A digest is not a path: nothing of this machine becomes a layer."""
    (tmp_path / "secret").write_bytes(b"x")
    folder = tmp_path / "given"
    (folder / "blobs" / "sha256").mkdir(parents=True)
    entry = {"mediaType": "m", "digest": "sha256:../../../secret", "size": 1}
    (folder / "index.json").write_text(json.dumps({"manifests": [entry]}))
    with pytest.raises(PackagingError, match="gives is no image manifest: "):
        open_base(layout, f"oci:{folder}", "", "linux/amd64", Access())
