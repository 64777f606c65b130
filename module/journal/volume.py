"""The journal's volume: how far its file may grow there, and a reserve with which it can always become shorter.

Deleting takes space too: what is deleted is first written to the log, and the log can be used again only when what was
appended has been carried from it into the file, which grows by that. So the file never grows into the space that the
log needs, and a reserve as large as the log is given up when somebody else has filled the volume.
"""

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import database
from .finished import Finished
from .leaves import PAGE
from .place import allocate
from .troubles import Troubles

_LARGEST_LOG = 8 << 20
_LONGEST_LOG = 64 << 20
_SLACK = 64 << 10
"""Bytes for the file system's own blocks and for the log's index."""

_PATIENCE = 100
"""Milliseconds that the log's end waits for who reads or writes it: longer would keep the event loop from appending."""

_HELD = "freed of its log"
_KEPT = "kept"

_log = logging.getLogger(__name__)


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


class Upkeep:
    """What the journal thread does for the files, beside reading and deleting.

    Attributes:
        is_log_long: nothing may be appended before the log could begin anew.
        is_gone: nothing may be appended, the file has lost its name.
    """

    def __init__(
        self,
        volume: Volume,
        appender: sqlite3.Connection,
        appending: threading.Lock,
        reader: sqlite3.Connection,
        troubles: Troubles,
    ) -> None:
        """Take both connections: ``appending`` is held around the first, ``reader`` is the journal thread's own."""
        self._volume, self._appender, self._appending, self._reader = volume, appender, appending, reader
        self._troubles = troubles
        self._unseen = 0
        self._has_made_space = False
        self.is_log_long = self.is_gone = False

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to be tried again."""
        return self._volume.has_reserve and not self.is_log_long and not self.is_gone

    @property
    def is_log_full(self) -> bool:
        """Whether nothing may be deleted either: that makes the log longer too."""
        return self.is_log_long and self._volume.log_size() > 2 * self._volume.longest_log

    def is_due(self, written: int) -> bool:
        """Count bytes of messages in one transaction; True when it is time for a look."""
        self._unseen += written + 2 * PAGE
        if self._unseen <= self._volume.log_bytes // 4:
            return False
        self._unseen = 0
        return True

    def look(self) -> None:
        """See whether the file is there and the log not too long, and say how far the file may grow."""
        self.is_gone = not self._volume.has_file()
        if self.is_gone:
            self._troubles.add(_KEPT, "somebody has deleted its file or put another one there")
        else:
            self._troubles.end(_KEPT)
        try:
            if self.is_log_long or self._volume.log_size() > self._volume.longest_log:
                self._begin_log_anew()
            self._volume.keep_reserve()
            with self._appending:
                (pages,) = self._appender.execute("PRAGMA page_count").fetchone()
                pages += self._volume.growth(pages * PAGE) // PAGE
                self._appender.execute(f"PRAGMA max_page_count = {min(pages, 1 << 30)}").fetchone()
        except (OSError, sqlite3.Error) as error:
            _log.debug("nothing is known of the journal's volume: %s", error)

    def delete(self, finished: Finished, before: Callable[[int], None]) -> tuple[list[int], list[asyncio.Future[None]]]:
        """Delete what is finished, on a full volume with the reserve's space, and at the worst without a quarantine.

        Raises:
            sqlite3.Error: nothing is deleted.
        """
        try:
            return finished.delete(before)
        except sqlite3.Error as error:
            if not self._make_space(error):
                raise
            self.look()
        try:
            return finished.delete(before)
        except sqlite3.Error as error:
            if not database.says(error, database.FULL):
                raise
            return finished.delete(before, quarantining=False)

    def _make_space(self, error: sqlite3.Error) -> bool:
        """Make space on a full volume; True if something may be possible now that was not. Once, until it helped."""
        if self._has_made_space or not database.says(error, database.FULL):
            return False
        self._has_made_space = True
        if self._volume.give_up_reserve():
            _log.warning("the journal's volume is full: the journal uses its reserve, and grows no further")
        self._begin_log_anew()
        return True

    def space_was_enough(self) -> None:
        """Hear that something could be deleted."""
        self._has_made_space = False

    def _begin_log_anew(self) -> None:
        """Carry the log into the file and begin it anew; while a long one cannot, nothing is appended."""
        try:
            self._reader.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
            is_held = self._reader.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]
        except sqlite3.Error as error:
            is_held = True
            if self._make_space(error):
                return
        finally:
            self._reader.execute(f"PRAGMA busy_timeout = {database.BUSY_TIMEOUT * 1000:.0f}")
        self.is_log_long = bool(is_held) and self._volume.log_size() > self._volume.longest_log
        if self.is_log_long:
            self._troubles.add(_HELD, "it is too long, and another process holds on to it, such as an sqlite3 shell")
        else:
            self._troubles.end(_HELD)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
