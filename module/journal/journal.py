"""The journal: the durable inbox. A message is in it before the hub may forget it, and until its answer is confirmed.

Two connections: one appends, on whatever thread a transport offers; the other reads and deletes, on the journal thread.
Every bound holds for what is accepted and not done, in memory and in the file.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count, repeat
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import msgspec

from ..errors import JournalDamagedError, JournalError
from ..messages import Accepted, InputMessage, Offer
from . import file
from .backlog import Backlog
from .finished import Finished
from .note import Note
from .place import lock
from .redeliveries import Redeliveries, fingerprint
from .suspects import CRASH, Suspects
from .troubles import Troubles

_READ_AHEAD = 64
_RETRY = 1.0

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InputMessage).decode


class Journal:
    """Accepted and not yet finished messages in a SQLite file.

    Attributes:
        lost: messages that were accepted, are not done, and could not be read any more: damage to the file.
    """

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
            JournalError: it cannot be opened or written.
            JournalLockedError: another process has it open.
        """
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self.on_room: Callable[[], object] = lambda: None
        self._troubles = Troubles()
        self._lock_file = lock(directory)
        try:
            self._note = Note(directory / "note")
            self.uuid = file.prepare(directory / file.NAME, self._note.last_seq)
            self._appender = file.connect(directory / file.NAME, sync)
            self._reader = file.connect(directory / file.NAME)
            self._suspects = Suspects(self._reader, self._note.left, directory / CRASH)
            sizes = dict(self._reader.execute("SELECT seq, size FROM messages ORDER BY seq"))
            self.lost = self._lost(len(sizes))
            file.skip_to(self._reader, self._note.last_seq)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"the journal in {directory} cannot be opened: {error} (SCORING_JOURNAL_DIR)") from error
        self._note.begin(file.last_given(self._reader), len(sizes))
        self._backlog = Backlog(sizes)
        self._redeliveries = Redeliveries(self._appender)
        self._finished = Finished(self._reader, self._suspects, max_quarantined)
        self._appending, self._waking = threading.Lock(), threading.Lock()
        self._taker: asyncio.Future[None] | None = None
        self._closed = False
        self._commands: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()

    def _lost(self, found: int) -> int:
        """Compare what is there with what the last process noted: say what is left, and what is lost."""
        if found:
            _log.info("%d messages are left in the journal from the last run: they come first", found)
        beyond_the_end = min(self._note.waited, self._note.last_seq - file.last_given(self._reader))
        lost = max(0, self._note.waited - found, beyond_the_end)
        if lost:
            _log.error("%d messages of the journal are lost: they were acked, and they cannot be read any more", lost)
        return lost

    # Taking charge: the transport offers on the event loop, but any thread may

    def offer(self, message: InputMessage, *, maybe_again: bool = False) -> Offer:
        """Append a message; it is durable when this returns ACCEPTED. Never raises."""
        return self.offer_all((message,), maybe_again=maybe_again)[0]

    def offer_all(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> list[Offer]:
        """Append messages that arrived together, in one transaction: all that are new and have room, or none.

        A redelivery is known only while ``maybe_again`` says that one may come, by its id, sender, input and content.
        """
        rows = [(len(encoded := _encode(each)), encoded, fingerprint(each, encoded)) for each in messages]
        with self._appending:
            again = [maybe_again and self._redeliveries.is_one(mark) for _, _, mark in rows]
            new = [at for at, is_again in enumerate(again) if not is_again]
            room = self._backlog.room((rows[at][0] for at in new), self._max_messages, self._max_bytes)
            new = new[: 0 if self._closed else room]
            accepted = self._append([messages[at] for at in new], [rows[at] for at in new])
        if accepted:
            self._wake_taker()
        places = repeat(Offer.ACCEPTED, accepted)
        return [Offer.DUPLICATE if is_again else next(places, Offer.FULL) for is_again in again]

    def connected(self) -> None:
        """Hear that a connection begins: each remembered message may come once more on it."""
        self._redeliveries.begin()

    def _append(self, messages: list[InputMessage], rows: list[file.Row]) -> int:
        """Write them, then let memory know; gives how many are accepted."""
        if not rows:
            return 0
        try:
            first = file.append(self._appender, rows)
        except sqlite3.Error as error:
            self._failed("written", error)
            return 0
        self._troubles.end("written")
        self._note.accepted(first + len(rows) - 1, len(rows))
        for seq, message, (size, _, mark) in zip(count(first), messages, rows, strict=False):
            self._redeliveries.remember(seq, mark)
            self._backlog.add(self._accepted(seq, message), size)
        return len(rows)

    # Giving: on the event loop

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, waiting for the first; none after close(), the rest stays here.

        Raises:
            JournalDamagedError: the file is damaged; the next start saves what can be read.
        """
        while True:
            with self._waking:  # before the look, so that nothing that comes after it is missed
                self._taker = taker = self._loop.create_future()
            if self._troubles.damage:
                raise JournalDamagedError(self._troubles.damage)
            if self._closed:
                return []
            if taken := self._backlog.take(count):
                return taken
            if self._backlog.unread():
                self._commands.put(self._read_more)
            await taker

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Delete messages, those with a reason into the quarantine.

        The future is done when that is committed, and cancelled if release() comes first.
        """
        forgotten: asyncio.Future[None] = self._loop.create_future()
        if self._finished.add([(seq, (reasons or {}).get(seq, "")) for seq in seqs], forgotten):
            self._commands.put(self._delete)
        if not self._thread.is_alive():
            _settle(self._finished.futures(), cancel=True)
        return forgotten

    def running(self, seqs: list[int]) -> None:
        """Note which messages run() is about to get; none when it has returned."""
        self._note.running(seqs)

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
        _settle(self._finished.futures(), cancel=True)
        with self._appending:
            for part in (self._note, self._appender, self._reader, self._suspects, self._lock_file):
                part.close()

    @property
    def trouble(self) -> str:
        """Why nothing can be accepted or finished at present; empty if all is well."""
        return self._troubles.said

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""
        return len(self._backlog)

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""
        return self._backlog.bytes

    # The journal thread

    def _serve(self) -> None:
        while True:
            try:
                command = self._commands.get(timeout=_RETRY if self._troubles or self._finished else None)
            except Empty:
                command = self._retry
            if command is None:
                self._delete()
                return
            try:
                command()
            except Exception:
                _log.exception("the journal thread goes on after an error of ours: please report this")

    def _retry(self) -> None:
        self._delete()
        self._wake_taker()
        self.on_room()

    def _read_more(self) -> None:
        """Read the next messages that are not in memory."""
        unread = self._backlog.unread()
        if unread is None:
            return
        query = "SELECT seq, message FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        try:
            rows = self._reader.execute(query, (*unread, _READ_AHEAD)).fetchall()
        except sqlite3.Error as error:
            self._failed("read", error)
            return
        self._troubles.end("read")
        up_to = rows[-1][0] if len(rows) == _READ_AHEAD else unread[1]
        self._backlog.read([accepted for row in rows if (accepted := self._decoded(*row))], up_to)
        self._wake_taker()

    def _decoded(self, seq: int, encoded: bytes) -> Accepted | None:
        try:
            return self._accepted(seq, _decode(encoded))
        except (msgspec.DecodeError, TypeError) as error:
            self.lost += 1
            _log.error("message %d of the journal is damaged and goes to the quarantine: %s", seq, error)
            self._finished.add([(seq, f"its record is damaged: {error}")])
            return None

    def _delete(self) -> None:
        """Delete what is finished."""
        try:
            seqs, futures = self._finished.delete(self._note.finished)
        except sqlite3.Error as error:
            self._failed("shortened", error)
            return
        self._troubles.end("shortened")
        self._backlog.remove(seqs)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, futures)
        self.on_room()

    # On any thread

    def _accepted(self, seq: int, message: InputMessage) -> Accepted:
        alone, condemned = self._suspects.verdict(seq)
        return Accepted(seq, message, time.monotonic(), alone=alone, condemned=condemned)

    def _wake_taker(self) -> None:
        with self._waking:
            taker, self._taker = self._taker, None
        if taker is not None and threading.get_ident() == self._loop_thread:
            _settle([taker])
        elif taker is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_settle, [taker])

    def _failed(self, doing: str, error: sqlite3.Error) -> None:
        self._troubles.add(doing, error)
        if self._troubles.damage:
            self._wake_taker()
        self._commands.put(lambda: None)  # begins the retries


def _settle(futures: Iterable[asyncio.Future[None]], *, cancel: bool = False) -> None:
    for future in futures:
        if cancel:
            future.cancel()
        elif not future.done():
            future.set_result(None)
