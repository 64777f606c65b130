"""Opens a journal's files, and says what the last process left in them and what is lost."""

import logging
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import database, torn_log
from .crash_record import CrashRecord
from .place import tighten
from .redeliveries import Redeliveries
from .suspects import CRASH, Suspects
from .volume import Volume

_PATIENCE = 0.1
"""Seconds that the event loop waits for another transaction; then nothing is accepted until the other one ends."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """The open files of a journal.

    Attributes:
        uuid: the journal's.
        appender: the connection that appends.
        reader: the one that reads and deletes.
        sizes: bytes of each message that is left, by its seq.
        up_to: the last seq that was given by earlier processes.
        lost: messages that were accepted, were not done, and are not there any more.
    """

    uuid: str
    appender: sqlite3.Connection
    reader: sqlite3.Connection
    crash_record: CrashRecord
    suspects: Suspects
    redeliveries: Redeliveries
    sizes: dict[int, int]
    up_to: int
    lost: int


def opened(path: Path, volume: Volume, sync: Literal["normal", "full"]) -> Opened:
    """Open the files of a locked directory, once more if that helps, or if another process locks them for a moment.

    Raises:
        JournalError: they cannot be opened or written, or were written by a newer version.
        OSError, sqlite3.Error: the same.
    """
    end, is_last = time.monotonic() + database.BUSY_TIMEOUT, False
    while True:
        try:
            found = _open(path, volume, sync)
            break
        except (OSError, sqlite3.Error) as error:
            if database.says(error, database.BUSY) and time.monotonic() < end:
                continue  # it has waited in SQLite; signals are heard here
            if is_last or not _may_help(path, volume, error):
                raise
            is_last = True
    tighten(path.parent)
    found.crash_record.begin(found.up_to, len(found.sizes))
    return found


def _may_help(path: Path, volume: Volume, error: OSError | sqlite3.Error) -> bool:
    """Do what may let the next try succeed; False if nothing can."""
    if database.says(error, database.DAMAGE):
        database.suspect_damage(path)  # a first look did not see it
        return True
    return not database.says(error, database.BUSY) and volume.give_up_reserve()


def _open(path: Path, volume: Volume, sync: Literal["normal", "full"]) -> Opened:
    record = CrashRecord(path.with_name("note"))
    torn_log.put_aside(path)
    uuid = database.prepare(path, record.last_seq)
    with ExitStack() as stack:
        appender = stack.enter_context(
            closing(database.connect(path, sync, log_bytes=volume.log_bytes, patience=_PATIENCE))
        )
        reader = stack.enter_context(closing(database.connect(path, log_bytes=volume.log_bytes)))
        lost = _lost(path, volume, record, appender)
        query = "SELECT seq, coalesce(length(message), 0) FROM messages ORDER BY seq"
        sizes: dict[int, int] = dict(reader.execute(query))
        database.skip_to(reader, record.last_seq)
        up_to = database.last_given(reader)
        redeliveries = Redeliveries(appender)
        suspects = Suspects(reader, record.left, path.with_name(CRASH))
        reader.execute(f"PRAGMA busy_timeout = {database.BUSY_TIMEOUT * 1000:.0f}")
        stack.pop_all()
    return Opened(uuid, appender, reader, record, suspects, redeliveries, sizes, up_to, lost)


def _lost(path: Path, volume: Volume, record: CrashRecord, appender: sqlite3.Connection) -> int:
    """Compare what is there with what the last process noted, put back what is missing; say and give what is lost."""
    found = int(appender.execute("SELECT count(*) FROM messages").fetchone()[0])
    missing = max(0, record.waited - found, min(record.waited, record.last_seq - database.last_given(appender)))
    accepted = range(1, record.last_seq + 1)
    back = torn_log.put_back(path, appender, accepted, missing, volume.together) if missing else 0
    torn_log.let_go(path, keep=bool(missing) and volume.has_reserve)
    if found + back:
        _log.info("%d messages are left in the journal from the last run: they come first", found + back)
    if lost := missing - back:
        _log.error("%d messages of the journal are lost: they were acked, and they cannot be read any more", lost)
    return lost
