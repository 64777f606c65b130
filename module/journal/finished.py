"""Finished messages on their way out of the file: gathered on the event loop, deleted in groups on another thread."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator

from .redeliveries import keep
from .suspects import Suspects

MOST_QUARANTINED_BYTES = 64 << 20
"""Bytes of quarantined messages that are kept at most, the newest ones."""

_MOST_REASON = 8000
"""Characters of a reason that are kept at most."""

_QUARANTINE = "INSERT OR REPLACE INTO quarantine VALUES (?, datetime('now'), ?, ?, ?)"
_DELETE = "DELETE FROM messages WHERE seq BETWEEN ? AND ?"
_TRIM = """
DELETE FROM quarantine WHERE seq <= (SELECT max(seq) FROM (
    SELECT seq, row_number() OVER newest AS n, sum(size) OVER newest AS total FROM quarantine
    WINDOW newest AS (ORDER BY seq DESC)) WHERE n > ? OR (total > ? AND n > 1))
"""

Group = list[tuple[int, str | None]]
"""Seqs, each with the reason why it could not be scored, None if it was."""


class Finished:
    """What is done and still in the file."""

    def __init__(
        self, connection: sqlite3.Connection, suspects: Suspects, quarantine: tuple[int, int], together: int
    ) -> None:
        """Take the bounds.

        Args:
            connection: to the journal; used by the thread that deletes.
            suspects: those among the messages.
            quarantine: how many messages it keeps at most, and how many bytes of them.
            together: bytes that go into it in one transaction.
        """
        self._connection = connection
        self._suspects = suspects
        self._bounds = (quarantine[0], min(quarantine[1], MOST_QUARANTINED_BYTES))
        self._together = together
        self._lock = threading.Lock()
        self._group: Group = []
        self._futures: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._group)

    def add(self, group: Group, future: asyncio.Future[None] | None = None) -> bool:
        """Add messages, and the future that waits for them; True if nothing else was waiting."""
        with self._lock:
            is_first = not self._group
            self._group += group
            if future is not None:
                self._futures.append(future)
            return is_first

    def delete(
        self, before: Callable[[int], None], *, quarantining: bool = True
    ) -> tuple[list[int], list[asyncio.Future[None]]]:
        """Delete what one transaction can carry; gives its seqs, and the futures if nothing is left to delete.

        Args:
            before: told how many it will be right before they are deleted, and the negative number if that fails.
            quarantining: False where there is no space for it: what could not be scored is kept nowhere then.

        Raises:
            sqlite3.Error: nothing is deleted, everything waits for the next time.
        """
        group = self._group[: self._fitting()]
        seqs = [seq for seq, _ in group]
        if group:
            before(len(group))
            try:
                self._commit(group if quarantining else [(seq, None) for seq in seqs], seqs)
            except BaseException:
                before(-len(group))
                raise
            self._suspects.forget(seqs)
        with self._lock:
            del self._group[: len(group)]
            futures: list[asyncio.Future[None]] = []
            if not self._group:
                futures, self._futures = self._futures, futures
        return seqs, futures

    def _fitting(self) -> int:
        """Say how many of the group can be deleted in one transaction: what goes into the quarantine is written."""
        total = 0
        for at, (seq, reason) in enumerate(group := list(self._group)):
            if reason is not None:
                row = self._connection.execute("SELECT length(message) FROM messages WHERE seq = ?", (seq,)).fetchone()
                total += (row and row[0]) or 0
                if total > self._together and at:
                    return at
        return len(group)

    def _commit(self, group: Group, seqs: list[int]) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            failed = [self._failed(seq, reason) for seq, reason in group if reason is not None]
            for first, last in _runs(seqs):
                keep(self._connection, first, last)
                self._connection.execute(_DELETE, (first, last))
            self._suspects.delete(seqs)
            if failed:  # last, so that it takes the place of what was deleted
                self._connection.executemany(_QUARANTINE, failed)
                self._connection.execute(_TRIM, self._bounds)

    def _failed(self, seq: int, reason: str) -> tuple[int, str, int, bytes]:
        """Give what the quarantine keeps of a message; of one whose record is damaged what is there."""
        row = self._connection.execute("SELECT message FROM messages WHERE seq = ?", (seq,)).fetchone()
        record = row[0] if row and isinstance(row[0], bytes) else b""
        # It may quote anything: nothing of a reason may keep what is done from being deleted.
        kept = reason[:_MOST_REASON].encode(errors="backslashreplace").decode()
        return seq, kept, len(record), record

    def cancel(self) -> None:
        """Cancel the futures of all that is not deleted; on the event loop."""
        with self._lock:
            futures, self._futures = self._futures, []
        for future in futures:
            future.cancel()


def settle(futures: Iterable[asyncio.Future[None]]) -> None:
    """Let those go on who waited for what is deleted now; on the event loop."""
    for future in futures:
        if not future.done():
            future.set_result(None)


def _runs(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Give the first and the last of each run of seqs without a gap; they are nearly always one."""
    run: tuple[int, int] | None = None
    for seq in sorted(seqs):
        if run is not None and seq > run[1] + 1:
            yield run
            run = None
        run = (run[0] if run else seq, seq)
    if run is not None:
        yield run
