"""The journal's volume: how far its file may grow there, and a reserve with which it can always become shorter.

Deleting takes space too: what is deleted is first written to the log, and the log can be used again only when what was
appended has been carried from it into the file, which grows by that. So the file never grows into the space that the
log needs, and a reserve as large as the log is given up when somebody else has filled the volume.
"""

import os
from contextlib import suppress
from pathlib import Path

from .place import allocate

_LARGEST_LOG = 8 << 20
_LONGEST_LOG = 64 << 20
_SLACK = 64 << 10
"""Bytes for the file system's own blocks and for the log's index."""


class Volume:
    """The file system of one journal directory.

    Attributes:
        log_bytes: what the log takes, and the reserve.
        longest_log: bytes from which on nothing may be appended: the log cannot begin anew while somebody reads it.
        together: bytes of messages in one transaction.
        most_messages: bytes of messages that may wait.
        most_quarantined: bytes of quarantined messages that are kept.
    """

    def __init__(self, file: Path) -> None:
        """Look at the volume of the journal's file.

        Raises:
            OSError: nothing can be found out about it.
        """
        self._file, self._log, self._directory = str(file), f"{file}-wal", str(file.parent)
        self._reserve = str(file.with_name("reserve"))
        status = os.statvfs(file.parent)
        total = status.f_blocks * status.f_frsize
        self.log_bytes = min(_LARGEST_LOG, max(total // 8, min(1 << 20, total // 4)))
        self.longest_log = max(self.log_bytes, min(_LONGEST_LOG, total // 64))
        self.together = self.log_bytes // 4
        # Pages are half empty at the worst.
        ours = sum(map(_size, (self._file, self._log, self._reserve)))
        most = max(0, self._free() + ours - 2 * self.log_bytes) // 2
        self.most_messages, self.most_quarantined = most * 3 // 4, most // 4
        self.has_reserve = False
        self._identity: tuple[int, int] | None = None
        self.keep_what_there_is()

    def keep_reserve(self) -> None:
        """Have the reserve if there is space for it beside the log."""
        if not self.has_reserve and self._free() + _size(self._reserve) >= self.log_bytes + self._for_log() + _SLACK:
            self._reserve_bytes(self.log_bytes)

    def keep_what_there_is(self) -> None:
        """Have the reserve, or a part of it, before the log is there and after: else its space is anybody's."""
        size = self.log_bytes
        while not self._reserve_bytes(max(size, _size(self._reserve))) and size > _SLACK:
            size //= 2

    def _reserve_bytes(self, size: int) -> bool:
        try:
            descriptor = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                allocate(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError:
            self._remove_reserve()
            return False
        self.has_reserve = size >= self.log_bytes
        return True

    def give_up_reserve(self) -> bool:
        """Let the log and the file have its space; False if there is none."""
        self.has_reserve = False
        return bool(_size(self._reserve)) and self._remove_reserve()

    def _remove_reserve(self) -> bool:
        """Delete it; False if there is none, or on a volume that has become read-only."""
        with suppress(OSError):
            os.unlink(self._reserve)
            return True
        return False

    def has_file(self) -> bool:
        """Say whether the file is still there under its name: what is written to one without a name is lost."""
        try:
            status = os.stat(self._file)
        except OSError:
            return False
        identity = (status.st_dev, status.st_ino)
        self._identity = self._identity or identity
        return identity == self._identity

    def growth(self, file_bytes: int) -> int:
        """Say by how many bytes the file may grow, beyond what it has when the log has been carried into it."""
        if not self.has_reserve:
            return 0
        pending = max(0, file_bytes - _size(self._file))
        return max(0, self._free() - self._for_log() - pending - _SLACK)

    def log_size(self) -> int:
        """Say how many bytes the log has."""
        return _size(self._log)

    def _for_log(self) -> int:
        return max(0, self.log_bytes - self.log_size())

    def _free(self) -> int:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
