"""Files and folders as one thing: walked in a fixed order, hashed, copied; files written whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def walk(path: Path) -> Iterator[tuple[str, Path]]:
    """Give ``(path inside, file)`` for each file, in order; of a single file ``(".", file)``."""
    if path.is_file():
        yield ".", path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


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
    """Write a file with this mode, whole or not at all."""
    with unfinished(path.parent) as file:
        file.write(content)
        file.close()  # Windows renames no open file
        os.chmod(file.name, mode)
        os.replace(file.name, path)
