"""Reads the messages that are only in the file: each is checked, and one that is not what was written is lost."""

import logging
import time

from ..messages import Accepted, InputMessage
from .backlog import Backlog
from .finished import Finished
from .opening import Opened
from .records import RecordError, unpack

_READ_AHEAD = 64

_log = logging.getLogger(__name__)


class Reading:
    """What becomes of rows of the file.

    Attributes:
        lost: messages that were accepted, are not done, and cannot be read any more or are not what they were.
    """

    def __init__(self, opened: Opened, backlog: Backlog, finished: Finished) -> None:
        """Take where messages come from, and where they go."""
        self._reader, self._suspects, self._left_up_to = opened.reader, opened.suspects, opened.up_to
        self._backlog, self._finished = backlog, finished
        self.lost = opened.lost

    def read_more(self) -> bool:
        """Read the next messages that are not in memory; False if there are none.

        Raises:
            sqlite3.Error: nothing can be read.
        """
        unread = self._backlog.unread()
        if unread is None:
            return False
        query = "SELECT seq, message FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        rows = self._reader.execute(query, (*unread, _READ_AHEAD)).fetchall()
        up_to = rows[-1][0] if len(rows) == _READ_AHEAD else unread[1]
        whole = [accepted for row in rows if (accepted := self._decoded(*row))]
        if gone := self._backlog.read(whole, up_to, {seq for seq, _ in rows}):
            self.lost += len(gone)
            _log.error("%d messages of the journal are lost: the file has them no more", len(gone))
            self._finished.add([(seq, None) for seq in gone])
        return True

    def _decoded(self, seq: int, record: object) -> Accepted | None:
        try:
            is_own = seq > self._left_up_to and self._backlog.has(seq)
            return self.accepted(seq, unpack(seq, record), attempt=1 if is_own else 2)
        except RecordError as error:
            self.lost += 1
            _log.error("message %d of the journal is damaged and goes to the quarantine: %s", seq, error)
            self._finished.add([(seq, f"its record is damaged: {error}")])
            return None

    def accepted(self, seq: int, message: InputMessage, attempt: int = 1) -> Accepted:
        """Give what the pipeline gets of a message; on any thread."""
        alone, condemned = self._suspects.verdict(seq)
        return Accepted(seq, message, time.monotonic(), alone=alone, condemned=condemned, attempt=attempt)
