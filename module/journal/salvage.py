"""Saves what can be read from a damaged journal.

A process may die in the middle of it: the saved rows go to a file beside the damaged one, which gets its final name
only when it is complete, and whoever starts next finishes the move.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from . import leaves
from .records import readable

_TABLES = ("facts", "recent", "suspects", "quarantine", "messages")
_HEADER = {
    0: b"SQLite format 3\0",
    18: b"\2\2\0\x40\x20\x20",
    44: b"\0\0\0\4",
    52: bytes(4),
    56: b"\0\0\0\1",
    64: bytes(4),
}
"""What the header of every journal says, by offset (sqlite.org/fileformat.html): one wrong bit hides all rows."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged file raises; the latter where SQLite's own words quote from it."""

_TIME = 5.0
"""Seconds that the search for single rows between damaged pages may take in one table."""

_log = logging.getLogger(__name__)


def save(path: Path, schema: str, last: int) -> None:
    """Put a new file with every readable row in the place of a damaged one, which is kept as ``damaged.sqlite3``.

    Args:
        path: the journal's file.
        schema: SQL that makes its tables.
        last: the last seq that was ever accepted, as far as known.

    Raises:
        sqlite3.Error, OSError: the new file cannot be written; the old one has the same rows as before.
    """
    _mend_header(path)
    _mend_first_page(path, schema)
    saving = path.with_name("saving.sqlite3")
    saving.unlink(missing_ok=True)
    counts = dict.fromkeys(_TABLES, 0)
    torn: set[str] = set()
    with closing(sqlite3.connect(saving, isolation_level=None)) as new:
        new.execute("PRAGMA journal_mode = OFF")
        new.executescript(schema)
        new.execute("BEGIN")
        for table in _TABLES:
            for row in _readable(path, table, last, torn):
                with suppress(sqlite3.IntegrityError):
                    new.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - ours
                    counts[table] += 1
        for message in leaves.messages(path) if "messages" in torn else ():
            found = new.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)", message)
            counts["messages"] += found.rowcount
        new.execute("COMMIT")
    saving.rename(_saved(path))
    put_in_place(path)
    _log.error(
        "%d messages and %d quarantined ones were saved from the damaged journal, which is kept as %s",
        counts["messages"],
        counts["quarantine"],
        path.with_name("damaged.sqlite3"),
    )


def put_in_place(path: Path) -> None:
    """Finish the move of a complete saved file, if there is one."""
    if not _saved(path).exists():
        return
    damaged = path.with_name("damaged.sqlite3")
    for suffix in ("-shm", "-wal", ""):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").replace(f"{damaged}{suffix}")
    _saved(path).rename(path)


def _mend_header(path: Path) -> None:
    with path.open("r+b") as file:
        for offset, content in _HEADER.items():
            file.seek(offset)
            file.write(content)
        file.seek(16)
        size = int.from_bytes(file.read(2))
        if size != 1 and (size < 512 or size & (size - 1)):
            file.seek(16)
            file.write(leaves.PAGE.to_bytes(2))


def tables(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Give what a file says of its tables."""
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()


def expected(schema: str) -> list[tuple[Any, ...]]:
    """Give what every journal says of its tables: they were made in this order in an empty file."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        return tables(connection)


def _mend_first_page(path: Path, schema: str) -> None:
    """Write the first page anew if it does not say where the tables are: without it nothing is found."""
    with suppress(*UNREADABLE), closing(_opened(path)) as old:
        if tables(old) == expected(schema):
            return
    fresh = path.with_name("saving.sqlite3")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh)) as new:
        new.executescript(schema)
    page = bytearray(fresh.read_bytes()[: leaves.PAGE])
    page[18:20] = b"\2\2"
    page[28:32] = (path.stat().st_size // leaves.PAGE).to_bytes(4)
    page[92:96] = page[24:28]  # or the number of pages would not count
    with path.open("r+b") as file:
        file.write(page)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.text_factory = readable
    connection.execute("PRAGMA writable_schema = ON")  # reads a file that is shorter than its header says
    return connection


def _saved(path: Path) -> Path:
    return path.with_name("saved.sqlite3")


def _readable(damaged: Path, table: str, last: int, torn: set[str]) -> Iterator[tuple[Any, ...]]:
    """Give the rows that can be read, one look-up each once the scan has hit a damaged page: the table is torn."""
    after = 0
    query = f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"  # noqa: S608 - ours
    try:
        with closing(_opened(damaged)) as old:
            with suppress(*UNREADABLE):
                while found := old.execute(query, (after,)).fetchone():
                    if found[0] <= after:  # pages that fit together wrongly may lead in a circle
                        break
                    after = found[0]
                    yield found[1:]
                else:
                    return
            torn.add(table)
            yield from _one_by_one(old, table, after + 1, last)
    except UNREADABLE as error:
        torn.add(table)
        _log.error("nothing more can be read from %s of the damaged journal: %s", table, error)


def _one_by_one(old: sqlite3.Connection, table: str, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    end = time.monotonic() + _TIME
    with suppress(*UNREADABLE):
        (given,) = old.execute("SELECT max(seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer'").fetchone()
        last = last or given or 0  # a damaged number may be any
    for rowid in range(first, max(first + 1000, last + 1)):
        if time.monotonic() > end:
            return
        try:
            row = old.execute(f"SELECT * FROM {table} WHERE rowid = ?", (rowid,)).fetchone()  # noqa: S608 - ours
        except UNREADABLE:
            continue
        if row is not None:
            yield row
