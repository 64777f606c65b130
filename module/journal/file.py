"""The journal's SQLite file: tables, statements, salvage of a damaged one."""

import logging
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from ..errors import JournalError

_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS recent (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, fingerprint BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL, message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS suspects (seq INTEGER PRIMARY KEY, deaths INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

BUSY_TIMEOUT = 5.0
"""Seconds that one connection waits for the other's transaction."""


def connect(path: Path, sync: Literal["normal", "full"]) -> sqlite3.Connection:
    """Open a connection in WAL mode; statements commit one by one unless BEGIN says otherwise.

    ``normal`` survives a killed process, ``full`` a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    return connection


def prepare(path: Path) -> str:
    """Create the tables if they are not there, salvage a damaged file first; gives the journal's uuid.

    Raises:
        JournalError: the directory cannot be written.
    """
    try:
        return _prepare(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise JournalError(f"the journal {path} cannot be opened: {error} (SCORING_JOURNAL_DIR)") from error
        _salvage(path, str(error))
        return _prepare(path)


def _prepare(path: Path) -> str:
    with closing(connect(path, "normal")) as connection:
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('uuid', ?)", (uuid.uuid4().hex,))
        return str(connection.execute("SELECT value FROM facts WHERE name = 'uuid'").fetchone()[0])


def _salvage(path: Path, reason: str) -> None:
    """Put the damaged file aside and copy every message that can still be read into a new one."""
    damaged = path.with_name("damaged.sqlite3")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{damaged}{suffix}").unlink(missing_ok=True)
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").rename(f"{damaged}{suffix}")
    saved = 0
    _prepare(path)
    with closing(connect(path, "full")) as new:
        new.execute("BEGIN")
        for row in _readable(damaged):
            new.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?)", row)
            saved += 1
        new.execute("COMMIT")
    _log.error("the journal was damaged (%s): %d messages were saved from it, it is kept as %s", reason, saved, damaged)


def _readable(damaged: Path) -> Iterator[tuple[int, int, bytes]]:
    """Give the rows that can be read, one look-up each once the scan has hit a damaged page."""
    try:
        with closing(sqlite3.connect(damaged, timeout=BUSY_TIMEOUT)) as old:
            seq = 0
            while True:
                try:
                    row = old.execute(
                        "SELECT seq, size, message FROM messages WHERE seq > ? ORDER BY seq LIMIT 1", (seq,)
                    ).fetchone()
                except sqlite3.DatabaseError:
                    yield from _one_by_one(old, seq + 1)
                    return
                if row is None:
                    return
                seq = row[0]
                yield row
    except sqlite3.DatabaseError as error:
        _log.error("nothing more can be read from the damaged journal: %s", error)


def _one_by_one(old: sqlite3.Connection, first: int, most: int = 1_000_000) -> Iterator[tuple[int, int, bytes]]:
    end = time.monotonic() + 20
    last = old.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    for seq in range(first, min(first + most, (last[0] if last else first) + 1)):
        if time.monotonic() > end:
            return
        try:
            row = old.execute("SELECT seq, size, message FROM messages WHERE seq = ?", (seq,)).fetchone()
        except sqlite3.DatabaseError:
            continue
        if row is not None:
            yield row
