"""Small file systems of their own, for the time of a test: ext2, ext3, ext4, vfat, tmpfs, overlay."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

KINDS = ("ext2", "ext3", "ext4", "vfat", "tmpfs", "overlay")

_MOST = 256 << 20
"""Bytes that somebody else takes at most: if no volume is mounted there, it is not to be the machine's own disk."""

HOW_TO_GET_IT = "needs root, loop devices, {kind} in the kernel, and mkfs.{kind} (Debian: e2fsprogs, dosfstools)"


@contextmanager
def volume(kind: str, megabytes: float, folder: Path) -> Iterator[Path]:
    """Make and mount a volume of a kind and a size; give its directory, and leave nothing behind.

    A test that cannot have one is skipped. ``folder`` is the test's own; an overlay lies on a tmpfs of that size.
    """
    place, size = folder / f"{kind}-volume", f"{int(megabytes * 1024)}k"
    place.mkdir()
    mounted: list[Path] = []
    try:
        if kind in ("tmpfs", "overlay"):
            _mount(kind, ["-t", "tmpfs", "-o", f"size={size}", "volume", str(place)], place, mounted)
        else:
            image = folder / f"{kind}-volume.image"
            with image.open("wb") as file:
                file.truncate(int(megabytes * (1 << 20)))
            _run(kind, [f"mkfs.{kind}", *(() if kind == "vfat" else ("-q", "-F")), str(image)])
            _mount(kind, ["-t", kind, "-o", "loop", str(image), str(place)], place, mounted)
        if kind == "overlay":
            parts = {name: place / name for name in ("lowerdir", "upperdir", "workdir")}
            for part in (*parts.values(), merged := place / "merged"):
                part.mkdir()
            options = ",".join(f"{name}={part}" for name, part in parts.items())
            _mount(kind, ["-t", "overlay", "-o", options, "volume", str(merged)], merged, mounted)
        yield mounted[-1]
    finally:
        for each in reversed(mounted):
            subprocess.run(["umount", "-l", str(each)], check=True)  # the loop device goes with the last file


class Filler:
    """Somebody else who fills a volume, to the last byte, until told to let go."""

    def __init__(self, directory: Path) -> None:
        """Fill nothing yet."""
        self._file = directory / "somebody-elses"

    def fill(self) -> None:
        """Take all there is, as long as that is no real disk's."""
        for size in (1 << 20, 4096, 1):
            with suppress(OSError), self._file.open("ab", buffering=0) as file:
                while file.tell() < _MOST and file.write(bytes(size)) == size:
                    pass

    def free(self) -> None:
        """Give it back."""
        self._file.unlink(missing_ok=True)


def _mount(kind: str, arguments: list[str], place: Path, mounted: list[Path]) -> None:
    _run(kind, ["mount", *arguments])
    mounted.append(place)


def _run(kind: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(HOW_TO_GET_IT.format(kind=kind))
    if done.returncode:
        pytest.skip(f"{HOW_TO_GET_IT.format(kind=kind)}: {done.stderr.strip()}")
