"""Inbox: the seam that takes accepted messages, and its in-memory form."""

import asyncio
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from .messages import Accepted, InputMessage, Offer


class Inbox(Protocol):
    """Accepted and not yet finished messages, bounded in number and bytes.

    Attributes:
        uuid: of this inbox; with a message's seq it names an output message whose input had no id.
        on_room: called, from any thread, when there may be room again.
    """

    uuid: str
    on_room: Callable[[], object]

    @property
    def trouble(self) -> str:
        """Why nothing can be accepted or finished at present; empty if all is well."""

    def offer(self, message: InputMessage, *, maybe_again: bool = False) -> Offer:
        """Take charge of a message if there is room; from any thread, never blocks for long, never raises."""

    def offer_all(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> list[Offer]:
        """Take charge of messages that arrived together: the first FULL one is followed by no ACCEPTED one."""

    def connected(self) -> None:
        """Hear that a connection begins: the hub may send again what it sent on the last one."""

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` of the oldest messages not yet given, waiting for the first; none is the end."""

    def running(self, seqs: list[int]) -> None:
        """Note which messages run() is about to get, none when it has returned; from the event loop."""

    def explain(self, why: str) -> None:
        """Leave word of why this process is about to end in the middle of a run()."""

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Forget messages whose answers are confirmed; from the event loop.

        Those with a reason could not be scored: a durable inbox keeps a bounded number of them. The future is done when
        none of the messages can come back.
        """

    def close(self) -> None:
        """Accept nothing more, and let take() come to its end: at once if durable, else when nothing is left."""

    async def release(self) -> None:
        """Let go of files and threads."""

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""


class MemoryInbox:
    """The inbox that dies with the process: for replay, tests and delivery on receipt."""

    def __init__(self, max_messages: int = 4096, max_bytes: int = 64 << 20) -> None:
        """Take the bounds; belongs to the event loop that is running."""
        self.uuid = uuid.uuid4().hex
        self.trouble = ""  # memory never fails
        self.on_room: Callable[[], object] = lambda: None
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._fresh: deque[Accepted] = deque()
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        self._seq = 0
        self._taker: asyncio.Future[None] | None = None
        self._closed = False

    def connected(self) -> None:
        """Hear that a connection begins: what died with the last process cannot be told from what is new."""

    def offer(self, message: InputMessage, *, maybe_again: bool = False) -> Offer:
        """Take charge of a message if there is room; one larger than the bound is taken when nothing else waits."""
        size = len(message.body)
        with self._lock:
            is_full = len(self._sizes) >= self._max_messages or self._bytes + size > self._max_bytes
            if self._closed or (is_full and self._sizes):
                return Offer.FULL
            self._seq += 1
            self._fresh.append(Accepted(self._seq, message, time.monotonic()))
            self._sizes[self._seq] = size
            self._bytes += size
            taker, self._taker = self._taker, None
        if taker is not None:
            self._loop.call_soon_threadsafe(_wake, taker)
        return Offer.ACCEPTED

    def offer_all(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> list[Offer]:
        """Take charge of the first ones, as far as there is room."""
        offers: list[Offer] = []
        for message in messages:
            offers.append(Offer.FULL if Offer.FULL in offers[-1:] else self.offer(message))
        return offers

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, waiting for the first; none when closed and empty."""
        while True:
            with self._lock:
                if self._fresh or self._closed:
                    return [self._fresh.popleft() for _ in range(min(count, len(self._fresh)))]
                taker = self._taker = self._loop.create_future()
            await taker

    def running(self, seqs: list[int]) -> None:
        """Nothing would remember it."""

    def explain(self, why: str) -> None:
        """Nobody would read it."""

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Forget messages; there is no quarantine."""
        with self._lock:
            self._bytes -= sum(self._sizes.pop(seq) for seq in seqs)
        self.on_room()
        forgotten: asyncio.Future[None] = self._loop.create_future()
        forgotten.set_result(None)
        return forgotten

    def close(self) -> None:
        """Accept nothing more; take() still gives what is there."""
        with self._lock:
            self._closed = True
            taker, self._taker = self._taker, None
        if taker is not None:
            _wake(taker)

    async def release(self) -> None:
        """Nothing to let go of."""

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""
        return len(self._sizes)

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""
        return self._bytes


def _wake(taker: asyncio.Future[None]) -> None:
    if not taker.done():
        taker.set_result(None)
