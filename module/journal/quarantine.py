"""The messages that could not be scored: list them, put them back, drop them.

All three work beside a running module: a message that was put back gets a new seq and is scored after the next one that
arrives, or at the next start.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from ..errors import JournalError
from ..messages import InputMessage
from .file import NAME

_REPLAY = """
INSERT INTO messages (size, message, fingerprint) SELECT size, message, x'' FROM quarantine WHERE seq = ?
"""

_decode = msgspec.msgpack.Decoder(InputMessage).decode


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
    with _opened(directory) as connection:
        rows = connection.execute("SELECT seq, at, reason, size, message FROM quarantine ORDER BY seq")
        for seq, at, reason, size, encoded in rows:
            yield Quarantined(seq, at, reason, size, _message(encoded))


def replay(directory: Path, seqs: Collection[int] | None = None) -> int:
    """Put quarantined messages back into the journal, to be scored once more; gives how many.

    Args:
        directory: the journal's.
        seqs: which; None stands for all. Records that are damaged stay.

    Raises:
        JournalError: there is no journal, or it cannot be written.
    """
    chosen = [each.seq for each in quarantined(directory) if each.message and (seqs is None or each.seq in seqs)]
    with _opened(directory) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        for seq in chosen:
            connection.execute(_REPLAY, (seq,))
        return _delete(connection, chosen)


def drop(directory: Path, seqs: Collection[int] | None = None) -> int:
    """Delete quarantined messages for good, None stands for all; gives how many there were.

    Raises:
        JournalError: there is no journal, or it cannot be written.
    """
    with _opened(directory) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        if seqs is None:
            return connection.execute("DELETE FROM quarantine").rowcount
        return _delete(connection, seqs)


def _delete(connection: sqlite3.Connection, seqs: Collection[int]) -> int:
    return connection.executemany("DELETE FROM quarantine WHERE seq = ?", [(seq,) for seq in seqs]).rowcount


@contextmanager
def _opened(directory: Path) -> Iterator[sqlite3.Connection]:
    path = directory / NAME
    if not path.exists():
        raise JournalError(f"there is no journal in {directory}: set SCORING_JOURNAL_DIR to the module's")
    try:
        with closing(sqlite3.connect(path, timeout=5.0, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be used: {error}") from error


def _message(encoded: bytes) -> InputMessage | None:
    try:
        return _decode(encoded)
    except (msgspec.DecodeError, TypeError):
        return None
