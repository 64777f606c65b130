"""The journal's directory: one process at a time, nobody else reads it, and it outlives the container."""

import errno
import fcntl
import logging
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..errors import JournalError, JournalLockedError
from ..forks import keep_from_forks

_PATIENCE = 2.0
"""Seconds that another process is waited for: one that was killed a moment ago may still be dying."""

_OURS = ("journal.", "saving.", "saved.", "damaged", "note", "crash.txt", "lock", "reserve")
_NOBODYS = ("lost+found", "tmp")

_CANNOT_ALLOCATE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a C library says that does not write zeros where the file system cannot allocate."""

_log = logging.getLogger(__name__)


def warn_if_it_dies_with_the_container(directory: Path) -> None:
    """Warn if the directory lies on a file system that goes when edgeAgent makes the container anew."""
    try:
        resolved = directory.resolve()
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        # mountinfo(5): field 5 is the mount point, the first field behind the "-" the type of the file system.
        kinds = {Path(mount[4]): mount[mount.index("-") + 1] for mount in mounts}
        kind = next(kinds[parent] for parent in (resolved, *resolved.parents) if parent in kinds)
    except (OSError, ValueError, StopIteration):
        return
    if kind in ("overlay", "tmpfs", "ramfs"):
        _log.warning(
            "the journal directory %s is on %s: it is lost with the container, mount a volume there", directory, kind
        )


def lend_temporary_directory(directory: Path) -> None:
    """Let scripts and libraries have temporary files in the journal's directory where they can have none elsewhere.

    A container with a read-only root has no writable ``/tmp``. What an earlier process left is removed.
    """
    with suppress(FileNotFoundError):
        tempfile.gettempdir()
        return
    folder = directory / "tmp"
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.mkdir(mode=0o700)
        os.environ["TMPDIR"] = str(folder)


def lock(directory: Path) -> IO[bytes]:
    """Make the directory and keep other processes out of it for as long as the file given back is open.

    Raises:
        JournalError: it cannot be written.
        JournalLockedError: another process has it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        tighten(directory)
        file = (directory / "lock").open("ab")
        keep_from_forks(file)
    except OSError as error:
        raise JournalError(
            f"the journal directory {directory} cannot be written: {error.strerror} (SCORING_JOURNAL_DIR)"
        ) from error
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            file.close()
            raise JournalLockedError(
                f"another process uses the journal in {directory}: give each its own SCORING_JOURNAL_DIR"
            ) from error
        except OSError as error:
            file.close()
            raise JournalError(
                f"the file system of {directory} has no locks: {error.strerror} (SCORING_JOURNAL_DIR)"
            ) from error
        return file


def tighten(directory: Path) -> None:
    """Let nobody else read what is stored: our files, and the directory if it holds nothing but them.

    What belongs to another user stays as it is.
    """
    ours = [path for path in directory.iterdir() if path.name.startswith(_OURS)]
    others = [path for path in directory.iterdir() if path not in ours and path.name not in _NOBODYS]
    for path, mode in [(directory, 0o700)] * (not others) + [(path, 0o600) for path in ours]:
        with suppress(OSError):
            now = path.stat()
            if now.st_uid == os.geteuid() and stat.S_IMODE(now.st_mode) & 0o077 and not now.st_mode & stat.S_ISVTX:
                path.chmod(mode)


def allocate(descriptor: int, size: int) -> None:
    """Make a file at least so large, with all of its blocks: a store into a hole of a full disk kills the process.

    Raises:
        OSError: there is no room for it.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in _CANNOT_ALLOCATE:
            raise
        end = os.fstat(descriptor).st_size
        os.pwrite(descriptor, bytes(max(0, size - end)), end)
