"""The journal: the durable inbox. A message is in it before the hub may forget it, and until its answer is confirmed.

Two connections: one appends, on whatever thread a transport offers; the other reads and deletes, on the journal thread.
Every bound holds for what is accepted and not done, in memory and in the file.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import msgspec

from ..messages import Accepted, InputMessage, Offer
from . import file
from .note import Note
from .place import lock
from .redeliveries import Redeliveries, fingerprint
from .suspects import Suspects

_IN_MEMORY = 1024
_LINGER = 0.002
_RETRY = 1.0

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InputMessage).decode


class Journal:
    """Accepted and not yet finished messages in a SQLite file."""

    durable = True

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
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._max_quarantined = max_quarantined
        self.on_room: Callable[[], None] = lambda: None
        self.trouble = ""
        self._lock_file = lock(directory)
        self._path = directory / "journal.sqlite3"
        self.uuid = file.prepare(self._path)
        self._appender = file.connect(self._path, sync)
        self._reader = file.connect(self._path, "normal")
        self._note = Note(directory / "note")
        self._suspects = Suspects(self._reader, self._note.left, directory / "crash.txt")
        self._appending, self._state = threading.Lock(), threading.Lock()
        self._fresh: deque[Accepted] = deque()
        self._given = 0  # last seq that went into _fresh
        self._sizes: dict[int, int] = dict(self._reader.execute("SELECT seq, size FROM messages ORDER BY seq"))
        self._last = next(reversed(self._sizes), 0)
        self._bytes = sum(self._sizes.values())
        self._redeliveries = Redeliveries(self._appender)
        self._taker: asyncio.Future[None] | None = None
        self._closed = False
        self._commands: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._finished: list[tuple[int, str]] = []
        self._forgotten: list[asyncio.Future[None]] = []
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()
        self._say_what_is_left()

    # Taking charge: on the transport's thread

    def offer(self, message: InputMessage, *, maybe_again: bool = False) -> Offer:
        """Append a message; it is durable when this returns ACCEPTED. Never raises.

        A redelivery is known only while ``maybe_again`` says that one may come, by its id, sender, input and content.
        """
        encoded = _encode(message)
        mark = fingerprint(message)
        with self._appending:
            if maybe_again and self._redeliveries.is_one(mark):
                return Offer.DUPLICATE
            if self._is_full(len(encoded)) or not self._append(encoded, mark):
                return Offer.FULL
            self._redeliveries.remember(mark)
            accepted = self._accepted(self._last, message)
            with self._state:
                self._sizes[self._last] = len(encoded)
                self._bytes += len(encoded)
                if self._given == self._last - 1 and len(self._fresh) < _IN_MEMORY:
                    self._fresh.append(accepted)
                    self._given = self._last
                taker, self._taker = self._taker, None
        if taker is not None:
            self._loop.call_soon_threadsafe(_wake, taker)
        return Offer.ACCEPTED

    def connected(self) -> None:
        """Hear that a connection begins: each remembered message may come once more on it."""
        self._redeliveries.begin()

    def _is_full(self, size: int) -> bool:
        with self._state:
            is_full = len(self._sizes) >= self._max_messages or self._bytes + size > self._max_bytes
            return self._closed or (is_full and bool(self._sizes))

    def _append(self, encoded: bytes, mark: bytes) -> bool:
        execute = self._appender.execute
        try:
            execute("BEGIN IMMEDIATE")
            insert = "INSERT INTO messages (size, message) VALUES (?, ?)"
            seq = execute(insert, (len(encoded), encoded)).lastrowid or 0
            self._redeliveries.write(seq, mark)
            execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            self._troubled(f"the journal cannot be written: {error}")
            return False
        if self.trouble:
            _log.warning("the journal can be written again")
            self.trouble = ""
        self._last = seq
        self._note.accepted(seq)
        return True

    def _troubled(self, sentence: str) -> None:
        if not self.trouble:
            _log.error("%s; nothing is acked until it can be", sentence)
        self.trouble = sentence
        self._commands.put(lambda: None)  # begins the retries

    # Giving: on the event loop

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, waiting for the first; none after close(), the rest stays here."""
        while True:
            with self._state:
                if self._closed:
                    return []
                if self._fresh:
                    return [self._fresh.popleft() for _ in range(min(count, len(self._fresh)))]
                is_behind = self._given < self._last
                taker = self._taker = self._loop.create_future()
            if is_behind:
                self._commands.put(self._read_more)
            await taker

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Delete messages, those with a reason into the quarantine; the future is done when that is committed."""
        forgotten: asyncio.Future[None] = self._loop.create_future()
        with self._state:
            is_first = not self._finished
            self._finished += [(seq, (reasons or {}).get(seq, "")) for seq in seqs]
            self._forgotten.append(forgotten)
        if is_first:
            self._commands.put(self._delete)
        return forgotten

    def running(self, seqs: list[int]) -> None:
        """Note which messages run() is about to get; none when it has returned."""
        self._note.running(seqs)

    def explain(self, why: str) -> None:
        """Leave word of why this process is about to end in the middle of a run()."""
        self._suspects.explain(why)

    def close(self) -> None:
        """Accept and give nothing more; what is not done waits in the file for the next process."""
        with self._state:
            self._closed = True
            taker, self._taker = self._taker, None
        if taker is not None:
            _wake(taker)

    async def release(self) -> None:
        """End the journal thread and let another process have the file."""
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join, 5)
        self._note.running(())  # a clean end: what is inside run() is no suspect
        for connection in (self._appender, self._reader):
            connection.close()
        self._note.close()
        self._lock_file.close()

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""
        return len(self._sizes)

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""
        return self._bytes

    def _accepted(self, seq: int, message: InputMessage) -> Accepted:
        alone, condemned = self._suspects.verdict(seq)
        return Accepted(seq, message, time.monotonic(), alone=alone, condemned=condemned)

    # The journal thread

    def _serve(self) -> None:
        while True:
            try:
                command = self._commands.get(timeout=_RETRY if self.trouble else None)
            except Empty:
                self._delete()
                self.on_room()
                continue
            if command is None:
                self._delete()
                return
            command()

    def _read_more(self) -> None:
        """Read the next messages that were not kept in memory."""
        try:
            rows = self._reader.execute(
                "SELECT seq, message FROM messages WHERE seq > ? ORDER BY seq LIMIT ?", (self._given, _IN_MEMORY // 4)
            ).fetchall()
        except sqlite3.Error as error:
            self._troubled(f"the journal cannot be read: {error}")
            return
        with self._state:
            for seq, encoded in rows:
                self._fresh.append(self._accepted(seq, _decode(encoded)))
                self._given = seq
            if not rows:
                self._given = self._last
            taker, self._taker = self._taker, None
        if taker is not None:
            self._loop.call_soon_threadsafe(_wake, taker)

    def _delete(self) -> None:
        """Delete what is finished, all of it in one transaction; a moment's wait makes the groups larger."""
        if self._finished and not self._closed:
            time.sleep(_LINGER)
        with self._state:
            finished, forgotten = self._finished, self._forgotten
            self._finished, self._forgotten = [], []
        if not finished:
            return
        try:
            self._commit_deletion(finished)
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._reader.execute("ROLLBACK")
            with self._state:
                self._finished, self._forgotten = finished + self._finished, forgotten + self._forgotten
            self._troubled(f"the journal cannot be written: {error}")
            return
        with self._state:
            self._bytes -= sum(self._sizes.pop(seq, 0) for seq, _ in finished)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_wake, *forgotten)
        self.on_room()

    def _commit_deletion(self, finished: list[tuple[int, str]]) -> None:
        execute = self._reader.execute
        execute("BEGIN IMMEDIATE")
        for seq, reason in finished:
            if reason:
                execute(
                    "INSERT OR REPLACE INTO quarantine SELECT seq, datetime('now'), ?, size, message FROM messages "
                    "WHERE seq = ?",
                    (reason, seq),
                )
        self._reader.executemany("DELETE FROM messages WHERE seq = ?", [(seq,) for seq, _ in finished])
        self._suspects.cleared(seq for seq, _ in finished)
        if any(reason for _, reason in finished):
            execute(
                "DELETE FROM quarantine WHERE seq NOT IN (SELECT seq FROM quarantine ORDER BY seq DESC LIMIT ?)",
                (self._max_quarantined,),
            )
        execute("COMMIT")

    def _say_what_is_left(self) -> None:
        if self._sizes:
            _log.info("%d messages are left in the journal from the last run: they come first", len(self._sizes))
        if self._note.last_seq > self._last and self._last:
            _log.debug("the last run accepted message %d", self._note.last_seq)


def _wake(*futures: asyncio.Future[None]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
