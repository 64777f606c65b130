"""The journal: the durable inbox. A message is in it before the hub may forget it, and until its answer is confirmed.

Two connections: one appends, on the event loop; the other reads and deletes, on the journal thread.
Every bound holds for what is accepted and not done, in memory and in the file.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

from ..errors import JournalDamagedError
from ..messages import Accepted, InputMessage
from . import database
from .backlog import Backlog, Reading
from .finished import Finished, settle
from .opening import opened
from .place import lock
from .records import encode
from .redeliveries import fingerprint
from .troubles import Troubles
from .volume import Upkeep, Volume

_RETRY, _IDLE = 1.0, 5.0
"""Seconds between two looks at the files while something cannot be done, and while nothing is to be done."""

_log = logging.getLogger(__name__)


class Journal:
    """Accepted and not yet finished messages in a SQLite file."""

    def __init__(
        self,
        directory: Path,
        *,
        sync: Literal["normal", "full"] = "normal",
        max_messages: int = 100_000,
        max_bytes: int = 256 << 20,
        max_quarantined: int = 1000,
    ) -> None:
        """Open the journal of a directory; belongs to the event loop that is running.

        Raises:
            JournalError: it cannot be opened or written, or was written by a newer version.
            JournalLockedError: another process has it open.
        """
        self._loop = asyncio.get_running_loop()
        self.on_room: Callable[[], object] = lambda: None
        self._troubles = Troubles()
        self._lock_file = lock(directory)
        self._path = directory / database.NAME
        try:
            self._volume = Volume(self._path)
            found = opened(self._path, self._volume, sync)
        except (OSError, sqlite3.Error) as error:
            raise database.failure(self._path, error) from error
        self.uuid, self._next = found.uuid, found.up_to + 1
        self._appender, self._reader = found.appender, found.reader
        self._crash_record, self._suspects, self._redeliveries = found.crash_record, found.suspects, found.redeliveries
        self._max_messages, self._max_bytes = max_messages, min(max_bytes, self._volume.most_messages)
        self._backlog = Backlog(found.sizes)
        bounds = (max_quarantined, self._volume.most_quarantined)
        self._finished = Finished(self._reader, self._suspects, bounds, self._volume.together)
        self._reading = Reading(found, self._backlog, self._finished)
        self._appending = threading.Lock()
        self._upkeep = Upkeep(self._volume, self._appender, self._appending, self._reader, self._troubles)
        self._taker: asyncio.Future[None] | None = None
        self._closed = False
        self._commands: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._upkeep.look()
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()

    # On the event loop

    def offer(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> int:
        """Append messages that arrived together, in one transaction; gives how many of the first are durable now.

        Those for which there is no room are not, nor any if they cannot be written; never raises. A redelivery is
        durable already: it is known only while ``maybe_again`` says that one may come, by its id, sender, input and
        content.
        """
        rows = [(len(encoded := encode(each)), encoded, fingerprint(each, encoded)) for each in messages]
        with self._appending:
            again = self._redeliveries.among(mark for _, _, mark in rows) if maybe_again else [0] * len(rows)
            new = [at for at, seq in enumerate(again) if not seq]
            fitting = new[: self._room([rows[at][0] for at in new])]
            accepted = self._append([messages[at] for at in fitting], [rows[at] for at in fitting])
            count = new[accepted] if accepted < len(new) else len(rows)
            if maybe_again:
                self._redeliveries.dropped(again[:count])
        if accepted:
            self._wake_taker()
        return count

    def connected(self) -> None:
        """Hear that a connection begins: each remembered message may come once more on it."""
        self._redeliveries.begin()

    def _append(self, messages: list[InputMessage], rows: list[database.Row]) -> int:
        """Write them, then let memory know; gives how many are accepted."""
        if not rows:
            return 0
        try:
            first = database.append(self._appender, self._next, rows)
        except sqlite3.Error as error:
            self._failed("written", error)
            return 0
        self._troubles.end("written")
        self._next = first + len(rows)
        self._crash_record.accepted(self._next - 1, len(rows))
        written = 0
        for seq, message, (size, _, mark) in zip(count(first), messages, rows, strict=False):
            self._redeliveries.remember(seq, mark)
            self._backlog.add(self._reading.accepted(seq, message), size)
            written += size
        if self._upkeep.is_due(written):
            self._commands.put(self._upkeep.look)
        return len(rows)

    def _room(self, sizes: list[int]) -> int:
        """Say for how many of these there is room."""
        if self._closed or self._upkeep.is_log_long or self._upkeep.is_gone:
            return 0
        return self._backlog.room(sizes, self._max_messages, self._max_bytes, self._volume.together)

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, waiting for the first; none after close(), the rest stays here.

        Raises:
            JournalDamagedError: the file is damaged; the next start saves what can be read.
        """
        while True:
            if self._troubles.damage:
                raise JournalDamagedError(self._troubles.damage)
            if self._closed:
                return []
            if taken := self._backlog.take(count):
                return taken
            if self._backlog.unread():
                self._commands.put(self._read_more)
            self._taker = self._loop.create_future()
            await self._taker

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Delete messages, those with a reason (be it empty) into the quarantine.

        The future is done when that is committed, and cancelled if release() comes first.
        """
        forgotten: asyncio.Future[None] = self._loop.create_future()
        if self._finished.add([(seq, (reasons or {}).get(seq)) for seq in seqs], forgotten):
            self._commands.put(self._delete)
        if not self._thread.is_alive():
            self._finished.cancel()
        return forgotten

    def running(self, seqs: list[int]) -> None:
        """Record which messages run() is about to get; none when it has returned."""
        self._crash_record.running(seqs)

    def explain(self, why: str) -> None:
        """Leave word of why this process is about to end in the middle of a run()."""
        self._suspects.explain(why)

    def close(self) -> None:
        """Accept and give nothing more; what is not done waits in the file for the next process."""
        self._closed = True
        self._wake_taker()

    async def release(self) -> None:
        """End the journal thread and let another process have the file."""
        self.close()
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join, 5)
        self._finished.cancel()
        with self._appending:
            for part in (self._crash_record, self._appender, self._reader, self._suspects, self._lock_file):
                part.close()
            self._volume.keep_what_there_is()

    def _wake_taker(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    @property
    def trouble(self) -> str:
        """Why nothing can be accepted or finished at present; empty if all is well."""
        return self._troubles.sentence

    @property
    def lost(self) -> int:
        """How many messages were accepted, are not done, and cannot be read any more or are not what they were."""
        return self._reading.lost

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""
        return len(self._backlog)

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""
        return self._backlog.bytes

    # The journal thread

    def _serve(self) -> None:
        while True:
            is_well = self._upkeep.is_well and not self._troubles and not self._finished
            try:
                command = self._commands.get(timeout=_IDLE if is_well else _RETRY)
            except Empty:
                command = self._retry
            if command is None:
                self._delete()
                return
            try:
                command()
                self._troubles.end("tended")
            except Exception as error:
                _log.exception("the journal thread goes on after an error of ours: please report this")
                self._troubles.add("tended", error)

    def _take_what_was_put_back(self) -> None:
        """Take messages that another process has put back; without a look they would wait for the next one."""
        try:
            with self._appending:
                query = "SELECT seq, size FROM messages WHERE seq >= ? ORDER BY seq"
                sizes: dict[int, int] = dict(self._reader.execute(query, (self._next,)))
                if not sizes:
                    return
                self._backlog.grow(sizes)
                self._next = max(sizes) + 1
                self._crash_record.accepted(self._next - 1, len(sizes))
        except sqlite3.Error as error:
            self._failed("read", error)
            return
        self._on_loop(self._wake_taker)

    def _retry(self) -> None:
        self._troubles.settle()
        self._upkeep.space_was_enough()
        self._upkeep.look()
        self._take_what_was_put_back()
        self._delete()
        if self._upkeep.is_gone and not self._backlog:  # the next start makes a new one
            self._troubles.damage = self._troubles.sentence
        self._on_loop(self._wake_taker)
        self.on_room()

    def _read_more(self) -> None:
        """Read the next messages that are not in memory."""
        try:
            if not self._reading.read_more():
                return
        except sqlite3.Error as error:
            self._failed("read", error)
            return
        self._troubles.end("read")
        self._on_loop(self._wake_taker)
        if self._finished:
            self._delete()

    def _delete(self) -> None:
        """Delete what is finished."""
        if self._upkeep.is_log_full:
            return
        try:
            seqs, futures = self._upkeep.delete(self._finished, self._crash_record.finished)
        except sqlite3.Error as error:
            self._failed("shortened", error)
            return
        self._troubles.end("shortened")
        self._upkeep.space_was_enough()
        if self._finished:
            self._commands.put(self._delete)
        if self._upkeep.is_due(self._backlog.remove(seqs)):
            self._commands.put(self._upkeep.look)
        self._on_loop(settle, futures)
        self.on_room()

    # On any thread

    def _on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _failed(self, doing: str, error: sqlite3.Error) -> None:
        self._troubles.add(doing, error)
        if self._troubles.damage:
            with suppress(OSError):
                database.suspect_damage(self._path)
            self._on_loop(self._wake_taker)
        self._commands.put(lambda: None)  # begins the retries
