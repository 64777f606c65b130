"""The journal's SQLite file: its tables, and how it is opened."""

import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from ..errors import JournalError, JournalLockedError
from . import salvage
from .crash_record import PLAUSIBLE
from .leaves import PAGE
from .records import pack, readable
from .salvage import UNREADABLE
from .suspects import sealed

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

VERSION = 1
"""Of what the file holds, in ``PRAGMA user_version`` and among the facts; 0 is the first one that was released."""

_MIGRATIONS = ("UPDATE suspects SET deaths = sealed(seq, deaths) WHERE deaths BETWEEN 0 AND 0xFFFF",)
"""What leads from each version to the next, and harms nothing when it is done once more.

0 had suspects and records without checksums. A suspect gets one; a record is taken as it is.
"""

Row = tuple[int, bytes, bytes]
"""What is to be appended of a message: its size, itself as MessagePack, its fingerprint."""

_APPEND = "INSERT INTO messages (seq, size, message, fingerprint) VALUES (?, ?, ?, ?)"

_SET_ASIDE = """
INSERT OR REPLACE INTO quarantine SELECT seq, datetime('now'), 'its number is damaged', 0, coalesce(message, x'')
FROM messages WHERE seq NOT BETWEEN 1 AND ?
"""

NAME = "journal.sqlite3"

_SUSPECT_OF_DAMAGE = "damaged-while-running"
"""The file that a process leaves which was told of damage: the next one saves what can be read, without a look."""

BUSY_TIMEOUT = 5.0
"""Seconds that the journal's own thread, or a start, waits for another transaction."""

_PATIENCE = 0.2
"""Seconds that a start does it at a time: it hears no signal meanwhile."""

_LEAST_BLOCKS = 16
"""A volume with fewer free blocks is full: a log needs an index."""

DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Result codes of a file that is broken: no retry helps."""

BUSY = {sqlite3.SQLITE_BUSY}
"""That of one which another process has locked."""

FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Those of a volume that may be full: some file systems report it as a failed write."""

OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
"""Result codes that blame the disk or another process; any other one while opening blames the file."""


def connect(
    path: Path, sync: Literal["normal", "full"] = "normal", *, log_bytes: int = 8 << 20, patience: float = _PATIENCE
) -> sqlite3.Connection:
    """Open a connection in WAL mode; statements commit one by one unless BEGIN says otherwise.

    ``normal`` survives a killed process, ``full`` a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
    The log is carried into the file when it has half of ``log_bytes``, and keeps its blocks for the next time.
    """
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    connection.text_factory = readable
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        connection.close()
        raise JournalError(f"the file system of {path} cannot carry SQLite's log (WAL): mount a local volume there")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute(f"PRAGMA journal_size_limit = {log_bytes}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // 2 // PAGE}")
    # Some builds overwrite what is deleted: then deleting takes as much of the log as appending did.
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


def prepare(path: Path, last: int = 0) -> str:
    """Create the tables if they are not there, salvage a damaged file first; gives the journal's uuid.

    Args:
        path: the file.
        last: the last seq that was ever accepted, as far as known.

    Raises:
        JournalError: it cannot be opened for a reason that lies outside of it.
        sqlite3.Error, OSError: the same.
    """
    salvage.put_in_place(path)
    suspect = path.with_name(_SUSPECT_OF_DAMAGE)
    try:
        if suspect.exists():
            raise sqlite3.DatabaseError("the last process was told so while it ran")
        return _prepare(path)
    except UNREADABLE as error:
        if says(error, OUTSIDE):
            raise
        _log.error("the journal is damaged (%s): what can be read is saved", error)
        salvage.save(path, SCHEMA, last)
        suspect.unlink(missing_ok=True)
        return _prepare(path)


def suspect_damage(path: Path) -> None:
    """Let the next one that prepares the file save what can be read; an OSError if that cannot be noted."""
    path.with_name(_SUSPECT_OF_DAMAGE).touch()


def failure(path: Path, error: OSError | sqlite3.Error) -> JournalError:
    """Give the sentence that says why a journal cannot be opened."""
    busy = says(error, BUSY)
    kind = JournalLockedError if busy else JournalError
    with suppress(OSError):
        if not busy and os.statvfs(path.parent).f_bavail < _LEAST_BLOCKS:
            error = OSError(f"its volume is full: {error}")
    return kind(f"the journal {path} cannot be opened: {error} (SCORING_JOURNAL_DIR)")


def says(error: Exception | str, codes: Collection[int]) -> bool:
    """Say whether an error is SQLite's with one of these primary result codes (https://sqlite.org/rescode.html)."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF in codes


def last_given(connection: sqlite3.Connection) -> int:
    """Give the last seq that the file gave to a message, done or not; one that no journal gives does not count."""
    query = "SELECT max(seq) FROM (SELECT seq FROM sqlite_sequence UNION ALL SELECT max(seq) FROM messages)"
    (last,) = connection.execute(f"{query} WHERE typeof(seq) = 'integer' AND seq <= {PLAUSIBLE}").fetchone()
    return max(0, last or 0)


def skip_to(connection: sqlite3.Connection, last: int) -> None:
    """Give no seq up to this one again: it names the answers to a message that had no id."""
    if last > last_given(connection):
        with connection:
            connection.execute("BEGIN")
            connection.execute("INSERT INTO messages VALUES (?, 0, x'', x'')", (last,))
            connection.execute("DELETE FROM messages WHERE seq = ?", (last,))


def append(connection: sqlite3.Connection, first: int, rows: list[Row]) -> int:
    """Append messages in one transaction, with seqs from ``first`` on, or higher ones if those are taken.

    Returns:
        The seq of the first one.

    Raises:
        sqlite3.Error: none of them is there.
    """
    try:
        _append(connection, first, rows)
    except sqlite3.IntegrityError:  # another process has put messages back
        first = last_given(connection) + 1
        _append(connection, first, rows)
    return first


def _append(connection: sqlite3.Connection, first: int, rows: list[Row]) -> None:
    if len(rows) == 1:  # the statement is its own transaction
        ((size, encoded, mark),) = rows
        connection.execute(_APPEND, (first, size, pack(first, encoded), mark))
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            _APPEND,
            [(seq, size, pack(seq, encoded), mark) for seq, (size, encoded, mark) in enumerate(rows, first)],
        )


def refuse_newer(connection: sqlite3.Connection, path: Path) -> int:
    """Give the version of a file. One wrong bit makes no newer one: two places have to say so.

    Raises:
        JournalError: it was written by a newer module.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    fact = connection.execute("SELECT value FROM facts WHERE name = 'version'").fetchone()
    noted = int(fact[0]) if fact and str(fact[0]).isdecimal() else 0
    if min(version, noted) > VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer version of this module (format {version}, this one knows "
            f"{VERSION}): run that one, or set another SCORING_JOURNAL_DIR"
        )
    return max(0, min(version, noted))


def _prepare(path: Path) -> str:
    with closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # before a long look: whether another process has it
        connection.execute("ROLLBACK")
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        connection.executescript(SCHEMA)
        if salvage.tables(connection) != salvage.expected(SCHEMA):
            raise sqlite3.DatabaseError("its tables are not a journal's")
        version = refuse_newer(connection, path)
        connection.create_function("sealed", 2, sealed, deterministic=True)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for migration in _MIGRATIONS[version:]:
                connection.execute(migration)
            _keep_facts(connection)
            _keep_numbers(connection)
            if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
                connection.execute(f"PRAGMA user_version = {VERSION}")
        return str(connection.execute("SELECT value FROM facts WHERE name = 'uuid'").fetchone()[0])


def _keep_facts(connection: sqlite3.Connection) -> None:
    """Write the facts that are missing, or are none any more."""
    facts = dict(connection.execute("SELECT name, value FROM facts"))
    given = facts.get("uuid")
    is_uuid = isinstance(given, str) and re.fullmatch("[0-9a-f]{32}", given)
    right = {"uuid": given if is_uuid else uuid.uuid4().hex, "version": str(VERSION)}
    wrong = [(name, value) for name, value in right.items() if facts.get(name) != value]
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", wrong)


def _keep_numbers(connection: sqlite3.Connection) -> None:
    """Let no damaged number stand in the way of those that follow: no journal gives one so high, or below 1."""
    connection.execute(_SET_ASIDE, (PLAUSIBLE,))
    connection.execute("DELETE FROM messages WHERE seq NOT BETWEEN 1 AND ?", (PLAUSIBLE,))
    last = last_given(connection)
    connection.execute("UPDATE sqlite_sequence SET seq = :last WHERE seq IS NOT :last", {"last": last})
    connection.execute("DELETE FROM recent WHERE seq NOT BETWEEN 1 AND ?", (last,))
