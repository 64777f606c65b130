"""The journal's directory: one process at a time, on a file system that outlives the container."""

import fcntl
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..errors import JournalError, JournalLockedError

_log = logging.getLogger(__name__)


def warn_if_it_dies_with_the_container(directory: Path) -> bool:
    """Warn if the directory lies on a file system that goes when edgeAgent makes the container anew; True if so."""
    try:
        resolved = directory.resolve()
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        # mountinfo(5): field 5 is the mount point, the first field behind the "-" the type of the file system.
        kinds = {Path(mount[4]): mount[mount.index("-") + 1] for mount in mounts}
        kind = next(kinds[parent] for parent in (resolved, *resolved.parents) if parent in kinds)
    except (OSError, ValueError, StopIteration):
        return False
    if kind not in ("overlay", "tmpfs", "ramfs"):
        return False
    _log.warning(
        "the journal directory %s is on %s: it is lost with the container, mount a volume there", directory, kind
    )
    return True


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
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("ab")
    except OSError as error:
        raise JournalError(
            f"the journal directory {directory} cannot be written: {error.strerror} (SCORING_JOURNAL_DIR)"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JournalLockedError(
            f"another process uses the journal in {directory}: give each its own SCORING_JOURNAL_DIR"
        ) from error
    return file
