"""The messages that could not be scored: list them, put them back, drop them.

All three work beside a running module: a message that was put back gets a new seq and is scored in seconds. They read
and write a little at a time: a long look would make the module's log grow, and a long transaction would keep it from
accepting.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from ..errors import JournalError
from ..messages import InputMessage
from .database import NAME, append, last_given, refuse_newer
from .records import RecordError, encode, readable, unpack

_AT_A_TIME = 16


class Quarantined(msgspec.Struct, frozen=True):
    """One message that could not be scored.

    Attributes:
        seq: its number.
        at: when it was given up, UTC.
        reason: why.
        size: its bytes in the journal.
        message: as it came; None if the journal's record of it is damaged.
    """

    seq: int
    at: str
    reason: str
    size: int
    message: InputMessage | None


def quarantined(directory: Path) -> Iterator[Quarantined]:
    """Give the quarantined messages of a journal directory, oldest first.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    after = -1 << 63
    query = "SELECT seq, at, reason, size, message FROM quarantine WHERE seq > ? ORDER BY seq LIMIT ?"
    with _opened(directory) as connection:
        while rows := connection.execute(query, (after, _AT_A_TIME)).fetchall():
            for seq, at, reason, size, record in rows:
                yield Quarantined(
                    seq, str(at), str(reason), size if isinstance(size, int) else 0, _message(seq, record)
                )
            after = rows[-1][0]


def replay(directory: Path, seqs: Collection[int] | None = None) -> set[int]:
    """Put quarantined messages back into the journal, to be scored once more; gives which.

    Args:
        directory: the journal's.
        seqs: which; None stands for all. Records that are damaged stay.

    Raises:
        JournalError: there is no journal, or it cannot be written.
    """
    chosen = [each.seq for each in quarantined(directory) if each.message and (seqs is None or each.seq in seqs)]
    done: set[int] = set()
    with _opened(directory) as connection:
        for at in range(0, len(chosen), _AT_A_TIME):
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                moved = {seq for seq in chosen[at : at + _AT_A_TIME] if _put_back(connection, seq)}
            done |= moved
    return done


def _put_back(connection: sqlite3.Connection, seq: int) -> bool:
    """Move a message, inside a transaction; False if it is not there any more."""
    row = connection.execute("SELECT message FROM quarantine WHERE seq = ?", (seq,)).fetchone()
    message = _message(seq, row[0]) if row else None
    if message is None:
        return False
    encoded = encode(message)
    append(connection, last_given(connection) + 1, [(len(encoded), encoded, b"")])
    return _delete(connection, seq)


def drop(directory: Path, seqs: Collection[int] | None = None) -> set[int]:
    """Delete quarantined messages for good, None stands for all; gives which there were.

    Raises:
        JournalError: there is no journal, or it cannot be written.
    """
    with _opened(directory) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        there = {seq for (seq,) in connection.execute("SELECT seq FROM quarantine")}
        return {seq for seq in (there if seqs is None else there & set(seqs)) if _delete(connection, seq)}


def _delete(connection: sqlite3.Connection, seq: int) -> bool:
    return bool(connection.execute("DELETE FROM quarantine WHERE seq = ?", (seq,)).rowcount)


@contextmanager
def _opened(directory: Path) -> Iterator[sqlite3.Connection]:
    path = directory / NAME
    try:
        if not path.exists():
            said = f"there is no journal in {directory}"
            raise JournalError(f"{said}: name the module's with --journal-dir or SCORING_JOURNAL_DIR")
        with closing(sqlite3.connect(path, timeout=5.0, isolation_level=None)) as connection:
            connection.text_factory = readable
            refuse_newer(connection, path)
            yield connection
    except PermissionError as error:
        raise JournalError(f"the journal {path} cannot be used: {error.strerror}") from error
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be used: {error}") from error


def _message(seq: int, record: object) -> InputMessage | None:
    try:
        return unpack(seq, record)
    except RecordError:
        return None
