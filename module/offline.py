"""Messages through the module's own scoring thread and pipeline, without a hub: what `replay` and `check` do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import BinaryIO

from msgspec import structs

from scoring.batcher import Batcher

from .inbox import MemoryInbox
from .messages import Accepted, InputMessage
from .operating.metrics import Metrics
from .process.watchdog import Watchdog
from .routes import Answers
from .runtime import pipeline_of
from .settings import Settings
from .transports.jsonl import JsonLines

_TOLD = 10
"""Outputs, and kinds of errors, that are told: those of the most messages."""

_INPUT = "amlInput"
"""The input of a message that names none."""


@dataclass(eq=False)
class Tally:
    """What messages were answered with, counted.

    Attributes:
        read: how many messages were read.
        messages: how many were answered.
        nothing: … with NOTHING.
        outputs: messages that left by output.
        errors: messages that could not be scored by the kind of their error.
        began: time.monotonic() when the script was ready for them; 0 before.
    """

    read: int = 0
    messages: int = 0
    nothing: int = 0
    outputs: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    began: float = 0.0

    @property
    def scored(self) -> int:
        """How many messages were scored."""
        return self.messages - self.errors.total()

    def count(self, accepted: Accepted, answers: Answers) -> None:
        """Count the answers to a message."""
        self.messages += 1
        self.nothing += answers.is_nothing
        self.outputs.update(message.output for message in answers.messages)
        if answers.error is not None:
            self.errors[type(answers.error).__name__] += 1

    def reading(self, messages: Iterator[InputMessage]) -> Iterator[InputMessage]:
        """Count messages as they are read."""
        for message in messages:
            self.read += 1
            yield message

    def so_far(self) -> str:
        """Give it as a line while there may be more."""
        return f"so far {self.text()}; {self.read:,} read, {self.read - self.messages:,} wait"

    def text(self) -> str:
        """Give it as a line."""
        seconds = monotonic() - self.began
        what = f"{self.scored:,} of {self.messages:,} messages scored in {seconds:.1f} s"
        left = [f"{output} {count:,}" for output, count in self.outputs.most_common(_TOLD)]
        left += [f"NOTHING {self.nothing:,}"] if self.nothing else []
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.errors.most_common(_TOLD))
        rate = self.messages / max(seconds, 1e-9)
        return f"{what}, {rate:,.0f} a second: {', '.join(left) or 'nothing has left'}" + (
            f" ({kinds})" if kinds else ""
        )


async def carry(
    settings: Settings,
    batcher: Batcher,
    messages: AsyncIterator[InputMessage],
    answered: Callable[[Accepted, Answers], None],
    *,
    out: BinaryIO,
    watchdog: Watchdog,
) -> None:
    """Carry messages through the pipeline, and write what would leave; the n-th message has the seq n.

    Raises:
        RunHungError: run() took longer than SCORING_RUN_TIMEOUT_S.
        SettingsError: the messages cannot be read to their end.
        OSError: ``out`` cannot be written.
    """
    inbox = MemoryInbox(settings.max_waiting, settings.max_waiting_mb << 20)
    lines = JsonLines(_with_input(messages), inbox, out)
    pipeline = pipeline_of(settings, batcher, inbox, lines.publish, metrics=Metrics())
    pipeline.answered = answered
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watchdog.watch(batcher.thread.stack))
            working = [group.create_task(lines.feed()), group.create_task(pipeline.serve())]
            await asyncio.gather(*working)
            watching.cancel()
    except BaseExceptionGroup as raised:
        error: BaseException = raised
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _with_input(messages: AsyncIterator[InputMessage]) -> AsyncIterator[InputMessage]:
    async for message in messages:
        yield message if message.input else structs.replace(message, input=_INPUT)
