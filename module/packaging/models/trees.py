"""Files and folders as one thing: walked in a fixed order, hashed, copied; files written whole or not at all."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ...errors import SettingsError


def walk(
    path: Path, skip: Callable[[str, bool], bool] | None = None, *, allowed: Collection[str] = (), or_else: str = ""
) -> Iterator[tuple[str, Path]]:
    """Give ``(path inside, file)`` for each file, in order; of a single file ``(".", file)``.

    Args:
        path: a file or folder.
        skip: says of a path inside, and of whether it is a folder, that it is left out.
        allowed: paths inside of links that may lead out.
        or_else: what the sentence offers beside a copy.

    Raises:
        SettingsError: a link leads out of the folder, nowhere, in a circle, or to what is left out; a folder cannot be
            read, or a name is no text.
    """
    top = os.path.realpath(path)

    def inside(folder: Path, above: str, real: list[str]) -> Iterator[tuple[str, Path]]:
        """Walk a folder; ``real`` are the real places of it and of those above it, from the last link that may be."""
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except OSError as error:
            raise SettingsError(f"cannot read {folder}: {error.strerror}") from error
        for entry in entries:
            name, file, is_link, is_folder = above + entry.name, folder / entry.name, entry.is_symlink(), entry.is_dir()
            place, leads_out, hidden = f"{real[-1]}/{entry.name}", False, False
            names = {name, place.removeprefix(f"{top}/")} if real[0] == top else {name}  # two below a link
            if skip is not None and any(skip(each, is_folder and not is_link) for each in names):
                continue
            if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
                raise SettingsError(f"{str(file)!a} is no name in UTF-8: rename it, or set PYTHONUTF8=1 if it is")
            if is_link:
                place = os.path.realpath(file)
                leads_out = not os.path.exists(place) or not Path(place).is_relative_to(real[0])
                hidden = skip is not None and not leads_out and skip(os.path.relpath(place, real[0]), False)
                if place in real or ((leads_out or hidden) and name not in allowed):
                    where = "that leads out of the folder or nowhere" if leads_out else "to what is left out"
                    where = "to a folder that it is in" if place in real else where
                    raise SettingsError(
                        f"{file} is a link {where}: put a copy of it (cp -rL) in its place{or_else.format(name=name)}"
                    )
            if is_folder:
                yield from inside(file, f"{name}/", [place] if leads_out or hidden else [*real, place])
            elif entry.is_file():
                yield name, file

    if path.is_file():
        yield ".", path
    elif path.is_dir():
        yield from inside(path, "", [top])


def hash_file(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_tree(path: Path) -> dict[str, str]:
    """Give path inside → SHA-256 of every file."""
    return {name: hash_file(file) for name, file in walk(path)}


def copy_tree(source: Path, target: Path) -> dict[str, str]:
    """Copy every file and give the hashes of what was really copied."""
    hashes = {}
    for name, file in walk(source):
        copy = target if name == "." else target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        hashes[name] = hash_file(shutil.copyfile(file, copy))
    return hashes


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder, hidden; after the block it is gone, unless it has another name then."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def unfinished(folder: Path) -> Iterator[IO[bytes]]:
    """Give a new file that only its owner can read; after the block it is gone, unless it has another name then."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file with this mode, whole or not at all; a link stays one, and a pipe or device is written to."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    place = path.resolve()
    with unfinished(place.parent) as file:
        file.write(content)
        file.close()  # Windows renames no open file
        os.chmod(file.name, mode)
        os.replace(file.name, place)


def try_lock(file: IO[bytes]) -> bool:
    """Say whether an open file is ours alone now, until it is closed or this process dies."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - of Windows alone

        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
    else:
        import fcntl  # noqa: PLC0415 - of the others alone

        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
