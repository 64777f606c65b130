"""Keeps the journal's files within their volume: how far the file may grow, when the log begins anew, the reserve."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable

from . import database
from .finished import Finished
from .troubles import Troubles
from .volume import Volume

_PATIENCE = 100
"""Milliseconds that the log's end waits for who reads or writes it: longer would keep the event loop from appending."""

_HELD = "freed of its log"
_KEPT = "kept"

_log = logging.getLogger(__name__)


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
        self._unseen += written + 2 * database.PAGE
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
                pages += self._volume.growth(pages * database.PAGE) // database.PAGE
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
            if not database.is_full(error):
                raise
            return finished.delete(before, quarantining=False)

    def _make_space(self, error: sqlite3.Error) -> bool:
        """Make space on a full volume; True if something may be possible now that was not. Once, until it helped."""
        if self._has_made_space or not database.is_full(error):
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
