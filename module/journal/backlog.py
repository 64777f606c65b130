"""What waits: the size of each message that is not done, the next ones as a whole, the others read from the file."""

import logging
import threading
import time
from collections import deque
from collections.abc import Container, Iterable

from ..messages import Accepted, InputMessage
from .finished import Finished
from .opening import Opened
from .records import RecordError, unpack

MOST = 1024
MOST_BYTES = 16 << 20
"""Messages, and bytes of their bodies, that are kept in memory at most; those behind them are read from the file."""

_READ_AHEAD = 64
"""Messages that are read from the file at a time."""

_log = logging.getLogger(__name__)


class Backlog:
    """The messages of a journal that are not done; safe to use from any thread.

    Attributes:
        bytes: encoded, of all that wait.
    """

    def __init__(self, sizes: dict[int, int]) -> None:
        """Take the encoded sizes by seq, ascending: nothing of them is in memory yet."""
        self._lock = threading.Lock()
        self._sizes = sizes
        self.bytes = sum(sizes.values())
        self._fresh: deque[Accepted] = deque()
        self._fresh_bytes = 0
        self._last = next(reversed(sizes), 0)
        self._given = 0  # the last seq that went into _fresh

    def __len__(self) -> int:
        return len(self._sizes)

    def has(self, seq: int) -> bool:
        """Say whether a message waits that this process knows of."""
        return seq in self._sizes

    def room(self, sizes: Iterable[int], max_messages: int, max_bytes: int, together: int) -> int:
        """Say how many of these may come, in order, at most ``together`` bytes at once.

        One that is larger than a bound may when it is alone.
        """
        with self._lock:
            count, total = len(self._sizes), self.bytes
        fitting = 0
        together += total
        for size in sizes:
            total += size
            if (count and (count >= max_messages or total > max_bytes)) or (fitting and total > together):
                break
            count, fitting = count + 1, fitting + 1
        return fitting

    def add(self, accepted: Accepted, size: int) -> None:
        """Count a message that is in the file, and keep it in memory if it is the next one and there is room."""
        with self._lock:
            self._sizes[accepted.seq] = size
            self.bytes += size
            self._last = accepted.seq
            if self._given == accepted.seq - 1 and len(self._fresh) < MOST and self._fresh_bytes < MOST_BYTES:
                self._keep(accepted)

    def grow(self, sizes: dict[int, int]) -> None:
        """Count messages that somebody else has put into the file behind all others."""
        with self._lock:
            self._sizes |= sizes
            self.bytes += sum(sizes.values())
            self._last = max(sizes)

    def unread(self) -> tuple[int, int] | None:
        """Give (after, up to) of the seqs that are only in the file, None if memory has all."""
        with self._lock:
            return (self._given, self._last) if self._given < self._last else None

    def read(self, messages: Iterable[Accepted], up_to: int, there: Container[int]) -> list[int]:
        """Take the next messages from the file, all there are up to this seq.

        Args:
            messages: those that could be read, ascending.
            up_to: the last seq that was looked for.
            there: the seqs that the file has, readable or not.

        Returns:
            The seqs that should have been there, and are forgotten now.
        """
        with self._lock:
            span = range(self._given + 1, up_to + 1)
            gone = [seq for seq in (span if len(span) < len(self._sizes) else self._sizes) if seq in span]
            gone = [seq for seq in gone if seq in self._sizes and seq not in there]
            for accepted in messages:
                if accepted.seq > self._given:
                    self._keep(accepted)
            self._given = max(self._given, up_to)
            self.bytes -= sum(self._sizes.pop(seq) for seq in gone)
        return gone

    def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, of those in memory."""
        with self._lock:
            taken = [self._fresh.popleft() for _ in range(min(count, len(self._fresh)))]
            self._fresh_bytes -= sum(len(accepted.message.body) for accepted in taken)
            return taken

    def remove(self, seqs: Iterable[int]) -> int:
        """Forget finished messages; gives how many bytes they took."""
        with self._lock:
            removed = sum(self._sizes.pop(seq, 0) for seq in seqs)
            self.bytes -= removed
            return removed

    def _keep(self, accepted: Accepted) -> None:
        self._fresh.append(accepted)
        self._fresh_bytes += len(accepted.message.body)
        self._given = accepted.seq


class Reading:
    """Reads the messages that are only in the file; one that is not what was written is lost.

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
