"""Puts back messages from a log that SQLite took only in part: from the first wrong bit on it ignores all frames.

Source: sqlite.org/fileformat.html, section 4. SQLite carries what it takes into the file, and deletes the log as the
last connection ends: so the log has a second name from before the first one begins until nothing of it is missing.

Only seqs that the last process accepted are searched for: what was never committed stays away, and so does what the log
itself tells to be done. At most as many are put back as are missing, the newest ones: messages are finished in their
order, so those waited.
"""

import logging
import os
import shutil
import sqlite3
import struct
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from . import database, leaves
from .salvage import UNREADABLE

_HEADER = struct.Struct(">16x4s4s8x")  # two salts: they tell the frames of this log from those that it writes over
_FRAME = struct.Struct(">II4s4s8x")  # the page's number, not 0 at the end of a transaction, the same two salts
_STEP = _FRAME.size + leaves.PAGE

_TIME = 5.0
"""Seconds that the search may take."""

_PUT_BACK = "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)"
_KNOWN = "SELECT seq FROM messages UNION SELECT seq FROM recent UNION SELECT seq FROM quarantine"

_log = logging.getLogger(__name__)


def put_aside(path: Path) -> None:
    """Give the log of a file a second name, and let SQLite carry from the first what it takes.

    Raises:
        sqlite3.Error, OSError: the file cannot be opened, for a reason that lies outside of it.
    """
    log, aside = Path(f"{path}-wal"), _aside(path)
    if not log.exists() or not log.stat().st_size:
        return
    if not aside.exists():  # else the last process died in the middle of this
        try:
            aside.hardlink_to(log)
        except OSError:
            _copy(log, aside)
    try:
        with closing(database.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except UNREADABLE as error:
        if database.says(error, database.OUTSIDE):
            raise
    if log.exists() and aside.exists() and log.samefile(aside):  # somebody else reads it: SQLite will write over it
        _copy(log, aside)


def put_back(path: Path, connection: sqlite3.Connection, wanted: range, most: int, together: int) -> int:
    """Put messages of the log that was put aside back into the file; gives how many.

    Args:
        path: the file.
        connection: writes to it.
        wanted: the seqs that may be missing.
        most: how many are missing.
        together: bytes of them in one transaction.

    Raises:
        sqlite3.Error: they cannot be written; nothing is lost by that.
        OSError: the log cannot be read.
    """
    aside = _aside(path)
    if not aside.exists():
        return 0
    known = {seq for (seq,) in connection.execute(_KNOWN)}
    count = 0
    with aside.open("rb") as log:
        search = _Search(log.fileno(), lambda seq: seq in wanted and seq not in known)
        rows = search.newest(most)
        row = next(rows, None)
        while row is not None:
            size = 0
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                while row is not None and size < together:
                    count += connection.execute(_PUT_BACK, row).rowcount
                    size += row[1]
                    row = next(rows, None)
    if count:
        _log.warning("the journal's log is damaged or torn: %d messages that lay behind that place are put back", count)
    return count


def let_go(path: Path, *, keep: bool) -> None:
    """Delete the log that was put aside, or keep it as ``damaged-wal``; call it when all is put back."""
    with suppress(FileNotFoundError):
        if keep:
            _aside(path).replace(path.with_name("damaged-wal"))
            _log.warning("the log of the last run is kept as %s", path.with_name("damaged-wal"))
        else:
            _aside(path).unlink()


def _aside(path: Path) -> Path:
    return path.with_name("journal.aside-wal")


def _copy(log: Path, aside: Path) -> None:
    """Copy it if there is space: without, messages behind a damaged place may be lost, and are counted."""
    copy = aside.with_suffix(".copy")
    try:
        shutil.copyfile(log, copy)
        copy.replace(aside)
    except OSError as error:
        copy.unlink(missing_ok=True)
        _log.warning("the journal's log cannot be copied, it is read as it is: %s", error)


class _Search:
    """Frames of one log; in memory are their page numbers, and the seqs that are found."""

    def __init__(self, log: int, is_wanted: Callable[[int], bool]) -> None:
        """Read what the frames of an open log say of themselves."""
        self._log, self._is_wanted = log, is_wanted
        self._frames: list[int] = []
        self._ends: list[int] = []
        self._images: dict[int, list[int]] = {}
        header = os.pread(log, _HEADER.size, 0)
        first = os.pread(log, _FRAME.size, _HEADER.size)
        if len(header + first) < _HEADER.size + _FRAME.size:
            return
        # One wrong bit makes no frame another log's: either place may have it, and either salt is enough.
        salts = list(zip(_HEADER.unpack(header), _FRAME.unpack(first)[2:], strict=True))
        for frame in range((os.fstat(log).st_size - _HEADER.size) // _STEP):
            page, is_end, *own = _FRAME.unpack(os.pread(log, _FRAME.size, _HEADER.size + frame * _STEP))
            if any(salt in either for salt, either in zip(own, salts, strict=True)):
                self._frames.append(frame)
                self._images.setdefault(page, []).append(frame)
                if is_end:
                    self._ends.append(frame)

    def newest(self, most: int) -> Iterator[leaves.Row]:
        """Give the newest rows of those that are wanted, ascending; of each the last image in which it is whole."""
        end = time.monotonic() + _TIME
        found: dict[int, int] = {}
        done = {seq: mark for frame in self._frames for seq, mark in leaves.finished(self._image(frame))}
        for frame in reversed(self._frames):
            if time.monotonic() > end:
                _log.error("the damaged log is too long to be searched to its end")
                break
            rows = self._rows(frame, lambda seq: seq not in found and self._is_wanted(seq))
            found.update((seq, frame) for seq, _, _, mark in rows if done.get(seq) != mark)
        for seq in sorted(found)[-most:]:
            yield from self._rows(found[seq], seq.__eq__)

    def _rows(self, frame: int, is_wanted: Callable[[int], bool]) -> Iterator[leaves.Row]:
        end = bisect_left(self._ends, frame)
        until = self._ends[end] if end < len(self._ends) else self._frames[-1]

        def page(number: int) -> bytes:
            """Give a page as it was at the end of this transaction."""
            images = self._images.get(number)
            return self._image(images[max(0, bisect_right(images, until) - 1)]) if images else b""

        yield from leaves.rows(self._image(frame), page, is_wanted)

    def _image(self, frame: int) -> bytes:
        return os.pread(self._log, leaves.PAGE, _HEADER.size + frame * _STEP + _FRAME.size)
