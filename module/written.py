"""A file that a command writes: one that cannot be opened is a wrong argument, one that cannot be written a failure."""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from .errors import ModuleError, SettingsError, UnwritableError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}


def cannot_write(what: object, error: OSError) -> ModuleError:
    """Say that a file cannot be written: an argument may be wrong (exit 2), unless the disk is full or broken (1)."""
    kind = UnwritableError if error.errno in _FULL else SettingsError
    return kind(f"cannot write {what}: {error.strerror}")


def refusal(error: OSError) -> ModuleError | None:
    """Say what the system refused, if it is of a path, a full disk or too many files; else the mistake is ours."""
    if error.errno in _FULL:
        return cannot_write(error.filename or "the output", error)
    if error.filename is not None:
        return SettingsError(f"cannot use {error.filename}: {error.strerror}")
    return ModuleError(f"there is no file left to open: {error.strerror}") if error.errno in _TOO_MANY else None


class _File(io.FileIO):
    """Says which file it is that cannot be written, and when it is a reader that has gone."""

    def __init__(self, file: Path | int, mode: str, said: str) -> None:
        super().__init__(file, mode)
        self._said = said

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UnwritableError(f"cannot write {self._said}: {error.strerror}") from error


@contextmanager
def written(file: Path | int, said: str = "", *, new: bool = False, at_once: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing, and close it.

    Args:
        file: a path, or a descriptor.
        said: what it is called; default: its path.
        new: nothing may be there before, and nothing is left if an exception ends it.
        at_once: every line leaves as it comes.

    Raises:
        SettingsError: it cannot be opened; see cannot_write().
        UnwritableError: it cannot be written, which may be known only when it is closed.
        BrokenPipeError: whoever read it has gone.
    """
    try:
        raw = _File(file, "xb" if new else "wb", said or str(file))
    except OSError as error:
        raise cannot_write(said or file, error) from error
    try:
        with cast(BinaryIO, raw if at_once else io.BufferedWriter(raw)) as opened:
            yield opened
    except BaseException:
        if new and isinstance(file, Path):
            file.unlink()
        raise
