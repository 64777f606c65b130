"""What a base image has inside: its Python, its glibc and Debian's list of its packages, read from its layers."""

import lzma
import re
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import Self

import msgspec

from ...errors import PackagingError
from ..registry.oci import Layout
from ..registry.oci_documents import Descriptor

_PYTHON = re.compile(r"(?:usr/(?:local/)?|opt/[\w.+-]+/)bin/python(3\.\d{1,3})")
_MODULE = re.compile(
    r"usr/(?:local/)?lib/python3[.\d]*/(?:site|dist)-packages/([A-Za-z_]\w*)(?:/__init__)?(?:\.\w.*)?\.(?:py|so)"
)
_LIBC = re.compile(r"(?:usr/)?lib/(?:[a-z0-9_]+-linux-gnu/)?libc\.so\.6|(?:usr/)?lib64/libc\.so\.6")
_LIBSTDCXX = re.compile(r"(?:usr/)?lib(?:64)?/(?:[a-z0-9_]+-linux-gnu/)?libstdc\+\+\.so\.6")
_GLIBC = re.compile(rb"GNU C Library[^\n]*version (2\.\d{1,3})\b")
_DPKG = "var/lib/dpkg/status"
_DPKG_PACKAGE = re.compile(  # within its paragraph: looking on to the next would take for ever in a file without any
    r"^Package: (?P<name>\S+)\n(?:(?!Package:|Version:).+\n)*Version: (?P<version>\S+)$", re.MULTILINE
)
_LONGEST = 64 << 20
_LONGEST_HEADER = 1 << 20
_NAMES = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


class Member(tarfile.TarInfo):
    """An entry of a tar, whose name has an end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header; what comes before one whose name is long is read at once, and refused if it is too long."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in _NAMES and member.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a name in it has {member.size:,} bytes")
        return member


class BaseImageInfo(msgspec.Struct):
    """What a scoring image needs to know of its base.

    Attributes:
        python: its version, such as ``3.11``; empty without one.
        executable: where it is.
        glibc: such as ``2.36``; empty without one.
        libstdcxx: whether it has the C++ library, which numpy and ONNX Runtime load.
        machine: what its Python is compiled for, ELF's e_machine; 0 if that cannot be said.
        system_packages: Debian package → version.
        modules: what Python can import of its own site-packages.
    """

    python: str = ""
    executable: str = ""
    glibc: str = ""
    libstdcxx: bool = False
    machine: int = 0
    system_packages: dict[str, str] = {}
    modules: set[str] = set()


def look(layout: Layout, digest: str, layers: list[Descriptor]) -> BaseImageInfo:
    """Read a base image's layers, the first time that it is used.

    Raises:
        PackagingError: a layer is damaged or packed as this cannot read.
    """
    return layout.once(f"inside 5 {digest}", BaseImageInfo, lambda: _look(layout, layers), lambda _: [])


def _look(layout: Layout, layers: list[Descriptor]) -> BaseImageInfo:
    info = BaseImageInfo()
    for layer in layers:
        try:
            with tarfile.open(layout.path(layer.digest), "r|*", tarinfo=Member) as archive:
                for member in archive:
                    _see(info, archive, member)
                    archive.members.clear()  # type: ignore[attr-defined] # or all that were seen are kept
        except (OSError, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise PackagingError(f"the base image's layer {layer.digest} cannot be read: {error}") from error
    return info


def _see(info: BaseImageInfo, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = str(PurePosixPath(member.name.removeprefix("./").removeprefix("/")))
    if found := _PYTHON.fullmatch(path):
        preferred = path.startswith("usr/local/") or not info.executable
        if preferred or found[1] == info.python:
            info.python, info.executable = found[1], f"/{path}"
            if member.isreg() and (head := _content(archive, member, 20))[:4] == b"\x7fELF":
                info.machine = int.from_bytes(head[18:20], "little")
    elif module := _MODULE.fullmatch(path):
        info.modules.add(module[1])
    elif _LIBSTDCXX.fullmatch(path):
        info.libstdcxx = True
    elif not member.isreg():
        return
    elif _LIBC.fullmatch(path) and (version := _GLIBC.search(_content(archive, member))):
        info.glibc = version[1].decode()
    elif path == _DPKG:
        text = _content(archive, member).decode(errors="replace")
        info.system_packages = {each["name"]: each["version"] for each in _DPKG_PACKAGE.finditer(text)}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, first: int = 0) -> bytes:
    """Read a file, or its first bytes; one that nobody has so large is refused: a few bytes of gzip may hold it."""
    if not first and member.size > _LONGEST:
        raise ValueError(f"{member.name} in it has {member.size:,} bytes")
    file = archive.extractfile(member)
    return file.read(first or _LONGEST) if file else b""
