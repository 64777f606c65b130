"""The journal's SQLite file: its tables, and how it is opened."""

import logging
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Literal

from ..errors import JournalError
from . import salvage

_log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, message BLOB NOT NULL, fingerprint BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS recent (seq INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL, message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS suspects (seq INTEGER PRIMARY KEY, deaths INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

Row = tuple[int, bytes, bytes]
"""What the file has of a message: its size, itself as MessagePack, its fingerprint."""

_APPEND = "INSERT INTO messages (size, message, fingerprint) VALUES (?, ?, ?)"

NAME = "journal.sqlite3"

_BUSY_TIMEOUT = 5.0
"""Seconds that one connection waits for the other's transaction."""

_SURROUNDINGS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
"""Result codes that blame the disk or another process; any other one while opening blames the file."""


def connect(path: Path, sync: Literal["normal", "full"] = "normal") -> sqlite3.Connection:
    """Open a connection in WAL mode; statements commit one by one unless BEGIN says otherwise.

    ``normal`` survives a killed process, ``full`` a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    return connection


def prepare(path: Path, last: int = 0) -> str:
    """Create the tables if they are not there, salvage a damaged file first; gives the journal's uuid.

    Args:
        path: the file.
        last: the last seq that was ever accepted, as far as known.

    Raises:
        JournalError: it cannot be opened for a reason that lies outside of it.
    """
    try:
        salvage.put_in_place(path)
        try:
            return _prepare(path)
        except sqlite3.DatabaseError as error:
            if code_of(error) in _SURROUNDINGS:
                raise
            _log.error("the journal is damaged (%s): what can be read is saved", error)
            salvage.save(path, SCHEMA, last)
            return _prepare(path)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"the journal {path} cannot be opened: {error} (SCORING_JOURNAL_DIR)") from error


def code_of(error: sqlite3.Error) -> int:
    """Give SQLite's primary result code of an error (https://sqlite.org/rescode.html), 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether an error means that the file itself is broken: no retry helps then."""
    return code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def last_given(connection: sqlite3.Connection) -> int:
    """Give the last seq that the file gave to a message, done or not."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return int(row[0]) if row else 0


def skip_to(connection: sqlite3.Connection, last: int) -> None:
    """Give no seq up to this one again: it names the answers to a message that had no id."""
    if last > last_given(connection):
        with connection:
            connection.execute("BEGIN")
            connection.execute("INSERT INTO messages VALUES (?, 0, x'', x'')", (last,))
            connection.execute("DELETE FROM messages WHERE seq = ?", (last,))


def append(connection: sqlite3.Connection, rows: list[Row]) -> int:
    """Append messages in one transaction; gives the seq of the first, the others follow it.

    Raises:
        sqlite3.Error: none of them is there.
    """
    if len(rows) == 1:  # the statement is its own transaction
        return connection.execute(_APPEND, rows[0]).lastrowid or 0
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_APPEND, rows)
        (last,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    return int(last) - len(rows) + 1


def _prepare(path: Path) -> str:
    with closing(connect(path)) as connection:
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        connection.executescript(SCHEMA)
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('uuid', ?)", (uuid.uuid4().hex,))
        return str(connection.execute("SELECT value FROM facts WHERE name = 'uuid'").fetchone()[0])
