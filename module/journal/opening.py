"""Opens a journal's files, and says what the last process left in them and what is lost."""

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import file
from .note import Note
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
    note: Note
    suspects: Suspects
    redeliveries: Redeliveries
    sizes: dict[int, int]
    up_to: int
    lost: int


def opened(path: Path, volume: Volume, sync: Literal["normal", "full"]) -> Opened:
    """Open the files of a locked directory, a second time if that helps.

    Raises:
        JournalError: they cannot be opened or written, or were written by a newer version.
        OSError, sqlite3.Error: the same.
    """
    try:
        found = _open(path, volume, sync)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and file.is_damage(error):
            file.suspect_damage(path)  # a first look did not see it
        elif not volume.give_up_reserve():
            raise
        found = _open(path, volume, sync)
    tighten(path.parent)
    found.note.begin(found.up_to, len(found.sizes))
    return found


def _open(path: Path, volume: Volume, sync: Literal["normal", "full"]) -> Opened:
    note = Note(path.with_name("note"))
    uuid = file.prepare(path, note.last_seq)
    appender = file.connect(path, sync, log_bytes=volume.log_bytes, patience=_PATIENCE)
    reader = file.connect(path, log_bytes=volume.log_bytes)
    query = "SELECT seq, coalesce(length(message), 0) FROM messages ORDER BY seq"
    sizes: dict[int, int] = dict(reader.execute(query))
    lost = _lost(note, len(sizes), file.last_given(reader))
    file.skip_to(reader, note.last_seq)
    up_to = file.last_given(reader)
    suspects = Suspects(reader, note.left, path.with_name(CRASH))
    return Opened(uuid, appender, reader, note, suspects, Redeliveries(appender), sizes, up_to, lost)


def _lost(note: Note, found: int, last: int) -> int:
    """Compare what is there with what the last process noted: say what is left, and what is lost."""
    if found:
        _log.info("%d messages are left in the journal from the last run: they come first", found)
    lost = max(0, note.waited - found, min(note.waited, note.last_seq - last))
    if lost:
        _log.error("%d messages of the journal are lost: they were acked, and they cannot be read any more", lost)
    return lost
