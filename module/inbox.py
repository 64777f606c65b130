"""Inbox: the seam that takes accepted messages, and its in-memory form."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from .messages import Accepted, InputMessage


class Inbox(Protocol):
    """Accepted and not yet finished messages, bounded in number and bytes; every method is for the event loop alone.

    Attributes:
        uuid: of this inbox; with a message's seq it names an output message whose input had no id.
        on_room: called, from any thread, when there may be room again.
    """

    uuid: str
    on_room: Callable[[], object]

    @property
    def trouble(self) -> str:
        """Why nothing can be accepted or finished at present; empty if all is well."""

    def offer(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> int:
        """Take charge of messages that arrived together, as far as there is room; gives how many, from the first on.

        Those that are known already count too. Never blocks for long, never raises.

        Args:
            messages: in the order of their arrival.
            maybe_again: whether the hub may be sending some of them a second time.
        """

    def connected(self) -> None:
        """Hear that a connection begins: the hub may send again what it sent on the last one."""

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` of the oldest messages not yet given, waiting for the first; none is the end."""

    def running(self, seqs: list[int]) -> None:
        """Record which messages run() is about to get, none when it has returned."""

    def explain(self, why: str) -> None:
        """Leave word of why this process is about to end in the middle of a run()."""

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Forget messages whose answers are confirmed.

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
        self._fresh: deque[Accepted] = deque()
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        self._seq = 0
        self._taker: asyncio.Future[None] | None = None
        self._closed = False

    def connected(self) -> None:
        """Hear that a connection begins: what died with the last process cannot be told from what is new."""

    def offer(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> int:
        """Take charge of the first messages, as far as there is room; one larger than the bound if nothing waits."""
        now = time.monotonic()
        for number, message in enumerate(messages):
            size = len(message.body)
            is_full = len(self._sizes) >= self._max_messages or self._bytes + size > self._max_bytes
            if self._closed or (is_full and self._sizes):
                self._wake_taker()
                return number
            self._seq += 1
            self._fresh.append(Accepted(self._seq, message, now))
            self._sizes[self._seq] = size
            self._bytes += size
        self._wake_taker()
        return len(messages)

    async def take(self, count: int) -> list[Accepted]:
        """Give up to ``count`` messages in order, waiting for the first; none when closed and empty."""
        while not self._fresh and not self._closed:
            self._taker = self._loop.create_future()
            await self._taker
        return [self._fresh.popleft() for _ in range(min(count, len(self._fresh)))]

    def running(self, seqs: list[int]) -> None:
        """Nothing would remember it."""

    def explain(self, why: str) -> None:
        """Nobody would read it."""

    def done(self, seqs: Iterable[int], reasons: Mapping[int, str] | None = None) -> asyncio.Future[None]:
        """Forget messages; there is no quarantine."""
        self._bytes -= sum(self._sizes.pop(seq) for seq in seqs)
        self.on_room()
        forgotten: asyncio.Future[None] = self._loop.create_future()
        forgotten.set_result(None)
        return forgotten

    def close(self) -> None:
        """Accept nothing more; take() still gives what is there."""
        self._closed = True
        self._wake_taker()

    async def release(self) -> None:
        """Nothing to let go of."""

    def waiting(self) -> int:
        """Say how many messages are accepted and not done."""
        return len(self._sizes)

    def waiting_bytes(self) -> int:
        """Say how many bytes they take."""
        return self._bytes

    def _wake_taker(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
