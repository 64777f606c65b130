"""File systems for the journal: loop-mounted images, tmpfs and overlay, each of a few megabytes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDS = "needs root and loop devices: run it as root in a virtual machine or a privileged container, with e2fsprogs"


class VolumeError(Exception):
    """The volume cannot be mounted here."""


def can_mount() -> bool:
    """Say whether this process may mount file systems."""
    return os.geteuid() == 0 and Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4") is not None


@contextmanager
def mounted(kind: str, place: Path, megabytes: int = 16) -> Iterator[Path]:
    """Give a folder on a file system of this kind, ``plain`` for no mount at all.

    Raises:
        VolumeError: it cannot be mounted; the sentence says why.
    """
    place.mkdir(parents=True)
    if kind == "plain":
        yield place
        return
    _run(*_mount(kind, place, megabytes), str(place))
    try:
        folder = place / "volume"
        folder.mkdir()
        yield folder
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Take away what a killed run has left mounted here."""
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=False)


def _mount(kind: str, place: Path, megabytes: int) -> list[str]:
    if kind == "tmpfs":
        return ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"]
    if kind == "overlay":
        under = place.with_name(f"{place.name}-parts")
        parts = {name: under / name for name in ("lowerdir", "upperdir", "workdir")}
        for part in parts.values():
            part.mkdir(parents=True)
        return ["mount", "-t", "overlay", "-o", ",".join(f"{n}={p}" for n, p in parts.items()), "overlay"]
    image = place.with_name(f"{place.name}.image")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _run(f"mkfs.{kind}", "-q", "-F", str(image))
    return ["mount", "-o", "loop", str(image)]


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VolumeError(f"{' '.join(words)}: {done.stderr.strip()}")
