"""Finished messages on their way out of the file: gathered on the event loop, deleted in groups on another thread."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator

from .redeliveries import keep
from .suspects import Suspects

MOST_QUARANTINED_BYTES = 64 << 20
"""Bytes of quarantined messages that are kept at most, the newest ones."""

_QUARANTINE = """
INSERT OR REPLACE INTO quarantine SELECT seq, datetime('now'), ?, size, message FROM messages WHERE seq = ?
"""
_DELETE = "DELETE FROM messages WHERE seq BETWEEN ? AND ?"
_TRIM = """
DELETE FROM quarantine WHERE seq <= (SELECT max(seq) FROM (
    SELECT seq, row_number() OVER newest AS n, sum(size) OVER newest AS total FROM quarantine
    WINDOW newest AS (ORDER BY seq DESC)) WHERE n > ? OR (total > ? AND n > 1))
"""

Group = list[tuple[int, str]]
"""Seqs, each with the reason why it could not be scored, empty if it was."""


class Finished:
    """What is done and still in the file."""

    def __init__(self, connection: sqlite3.Connection, suspects: Suspects, most_quarantined: int) -> None:
        self._connection = connection
        self._suspects = suspects
        self._most_quarantined = most_quarantined
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

    def delete(self, before: Callable[[int], None]) -> tuple[list[int], list[asyncio.Future[None]]]:
        """Delete everything in one transaction; gives its seqs and futures.

        Args:
            before: told how many it will be right before they are deleted, and the negative number if that fails.

        Raises:
            sqlite3.Error: nothing is deleted, everything waits for the next time.
        """
        with self._lock:
            (group, self._group), (futures, self._futures) = (self._group, []), (self._futures, [])
        seqs = [seq for seq, _ in group]
        if group:
            before(len(group))
            try:
                self._commit(group, seqs)
            except BaseException:
                before(-len(group))
                with self._lock:
                    self._group[:0], self._futures[:0] = group, futures
                raise
            self._suspects.forget(seqs)
        return seqs, futures

    def _commit(self, group: Group, seqs: list[int]) -> None:
        reasons = [(reason, seq) for seq, reason in group if reason]
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_QUARANTINE, reasons)
            for first, last in _runs(seqs):
                keep(self._connection, first, last)
                self._connection.execute(_DELETE, (first, last))
            self._suspects.delete(seqs)
            if reasons:
                self._connection.execute(_TRIM, (self._most_quarantined, MOST_QUARANTINED_BYTES))

    def futures(self) -> list[asyncio.Future[None]]:
        """Give the futures of all that was not deleted, to be cancelled."""
        with self._lock:
            futures, self._futures = self._futures, []
        return futures


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
