"""The way of a message: inbox → decode → batch → score → encode → send → done. In order, and nothing unbounded."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scoring.batcher import Batcher
from scoring.bodies.codecs import Body, rows_of, unpacked, weight
from scoring.errors import RunError, ScoringError
from scoring.predictions import SUSPECT, Context, Outcome, Request

from .errors import UnsendableError
from .inbox import Inbox
from .logs import Sparsely
from .messages import Accepted, OutputMessage
from .operating.metrics import Metrics
from .routes import Answers, Routes

Publish = Callable[[OutputMessage], asyncio.Future[None]]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Scored:
    """A message that was handed to the batcher, or could not be decoded."""

    accepted: Accepted
    outcomes: asyncio.Future[list[Outcome]] | ScoringError
    rows: bool = False
    weight: int = 0


@dataclass(slots=True)
class _Sent:
    """A message whose answers are on their way; with a reason if it could not be scored."""

    accepted: Accepted
    confirmations: list[asyncio.Future[None]]
    reason: str | None


@dataclass(eq=False, repr=False, kw_only=True)
class Pipeline:
    """Three coroutines, one after the other, with a bounded queue between each two.

    ``_read`` decodes and submits, ``_send`` encodes and publishes, ``_finish`` awaits confirmations and says done. They
    overlap: while one batch runs, the next one is decoded and the one before is sent.

    Attributes:
        inbox, batcher, routes, publish, metrics: the parts that the way leads through.
        read_ahead: messages that are decoded and not yet sent, at most.
        max_unconfirmed: outputs that are sent and not yet confirmed, at most.
        max_decoded: bytes that what is decoded and not yet sent takes, at most, unless it is one message alone.
        rows: whether the rows of a body are requests of their own.
        failed: told why a message was not scored.
        decoded: bytes of memory that decoded and not yet answered bodies take, estimated.
        on_idle: called when everything that was sent is done.
    """

    inbox: Inbox
    batcher: Batcher
    routes: Routes
    publish: Publish
    metrics: Metrics
    read_ahead: int
    max_unconfirmed: int
    max_decoded: int = 256 << 20
    rows: bool
    failed: Callable[[str], None] = lambda sentence: None
    decoded: int = 0
    on_idle: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self._script = self.batcher.script
        self.rows = self.rows and self._script.rows
        self._scored: asyncio.Queue[_Scored | None] = asyncio.Queue(self.read_ahead)
        self._sent: asyncio.Queue[_Sent | None] = asyncio.Queue()  # bounded by _unconfirmed
        self._unconfirmed = 0
        self._unfinished = 0
        self._room = asyncio.Event()
        self._lighter = asyncio.Event()
        self._sparsely = Sparsely(_log)

    async def serve(self) -> None:
        """Carry messages until the inbox is closed and everything taken from it is answered and done."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._send())
            group.create_task(self._finish())

    async def _read(self) -> None:
        while messages := await self.inbox.take(self.read_ahead):
            self.metrics.received.inc(len(messages))
            for accepted in messages:
                await self._scored.put(await self._submit(accepted))
        await self._scored.put(None)

    async def _submit(self, accepted: Accepted) -> _Scored:
        if accepted.condemned:
            return _Scored(accepted, RunError(accepted.condemned))
        try:
            message, system = accepted.message, accepted.message.system
            kind, encoding = system.get("content_type", ""), system.get("content_encoding", "")
            body = unpacked(Body(message.body, kind, encoding, message.properties))
            weighs = weight(body)
            while self.decoded and self.decoded + weighs > self.max_decoded:
                self._lighter.clear()
                await self._lighter.wait()
            request = self._script.decode(body)
            rows = rows_of(request) if self.rows else None
        except ScoringError as error:
            return _Scored(accepted, error)
        except Exception as error:  # MemoryError too: the other bodies in memory are bounded, so it is this one
            _log.exception("a body cannot be decoded after an error of ours: please report this")
            return _Scored(accepted, RunError(f"the body cannot be decoded: {type(error).__name__}"))
        self.decoded += weighs
        context = _context(accepted) if self._script.wants_context else None
        is_rows = rows is not None
        values = [request] if rows is None else rows
        again = None if isinstance(request, str) else partial(self._script.decode, body)
        requests = [Request(value, context, is_rows, 0, again, row) for row, value in enumerate(values)]
        outcomes = self.batcher.submit(requests, accepted.seq, alone=accepted.alone)
        return _Scored(accepted, outcomes, is_rows, weighs)

    async def _send(self) -> None:
        while (scored := await self._scored.get()) is not None:
            if isinstance(scored.outcomes, ScoringError):
                outcomes: list[Outcome] = [scored.outcomes]
            else:
                outcomes = await scored.outcomes
            answers = self.routes.answers(scored.accepted, outcomes, rows=scored.rows)
            messages, error, _ = answers
            self._count(answers)
            # One message alone may have more answers than the bound.
            while self._unconfirmed and self._unconfirmed + len(messages) > self.max_unconfirmed:
                await self._a_message_finished()
            self._unconfirmed += len(messages)
            self._unfinished += 1
            confirmations = [self.publish(message) for message in messages]
            await self._sent.put(_Sent(scored.accepted, confirmations, None if error is None else str(error)))
            self.decoded -= scored.weight
            self._lighter.set()
        await self._sent.put(None)

    def _count(self, answers: Answers) -> None:
        """Count what a message was answered with, and log what should not be."""
        messages, error, is_nothing = answers
        if error is not None:
            self.metrics.errors.inc()
            self.failed(str(error))
            trace = f"\n{error.user_traceback}" if error.user_traceback else ""
            self._sparsely.warning(type(error).__name__, f"a message went to the errors output: {error}{trace}")
        elif is_nothing:
            self.metrics.nothing.inc()
        elif any(SUSPECT in message.properties for message in messages):
            self.metrics.suspect.inc()
            self._sparsely.warning("suspect", "a prediction looks like an exception that the script caught")

    async def _finish(self) -> None:
        """Say done to messages whose answers are confirmed, to all those together that are so at the same time."""
        group: list[_Sent] = []
        while True:
            if group and self._sent.empty():
                group = self._done(group)
            if (sent := await self._sent.get()) is None:
                break
            if group and not all(confirmation.done() for confirmation in sent.confirmations):
                group = self._done(group)
            try:
                for confirmation in sent.confirmations:
                    await confirmation
            except UnsendableError as error:
                sent.reason = str(error)
                self.metrics.errors.inc()
                self.failed(sent.reason)
                self._sparsely.warning("unsendable", f"a message goes to the quarantine, not to an output: {error}")
            group.append(sent)
        self._done(group)
        while self._unfinished:
            await self._a_message_finished()

    def _done(self, group: list[_Sent]) -> list[_Sent]:
        """Say done to a group; gives an empty one."""
        reasons = {sent.accepted.seq: sent.reason for sent in group if sent.reason is not None}
        forgotten = self.inbox.done([sent.accepted.seq for sent in group], reasons)
        forgotten.add_done_callback(lambda _: self._forgotten(group))
        self.metrics.published.inc(sum(len(sent.confirmations) for sent in group))
        self.metrics.answered.inc(len(group))
        now = time.monotonic()
        for sent in group:
            self.metrics.latency_seconds.observe(now - sent.accepted.at)
        return []

    def _forgotten(self, group: list[_Sent]) -> None:
        self._unconfirmed -= sum(len(sent.confirmations) for sent in group)
        self._unfinished -= len(group)
        self._room.set()
        if not self._unfinished:
            self.on_idle()

    async def _a_message_finished(self) -> None:
        self._room.clear()
        await self._room.wait()


def _context(accepted: Accepted) -> Context:
    message, system = accepted.message, accepted.message.system
    return Context(
        message.input,
        system.get("device_id", ""),
        system.get("module_id", ""),
        system.get("message_id", ""),
        system.get("correlation_id", ""),
        system.get("creation_time", ""),
        message.properties,
        accepted.attempt,
        system.get("content_type", ""),
    )
