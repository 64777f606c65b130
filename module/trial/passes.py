"""The ways of a trial's messages: all through the pipeline as on a device, then the first ones in several sizes."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from scoring.batcher import Batcher
from scoring.predictions import Outcome, Request

from ..messages import Accepted, InputMessage
from ..offline import carry
from ..routes import Answers
from ..settings import Settings
from ..transports.message_files import arriving
from .answers import brief, cut, differ, holds_null, is_suspect
from .observer import Observer
from .trial import Trial

SIZES = (1, 8, 32, 128)
"""Batch sizes that are compared and measured, as far as the script takes them."""

SECONDS = 0.7
"""What the measurement of one size takes at most, beyond its first call."""

_MOST_CALLS = 300
_COMPARED = 128
_COMPARING_S = 3.0
"""Messages that are compared at most, and about the seconds that they may take one at a time."""

_FILL = 0.05
"""Seconds that a batch of a comparison waits until it is full."""

_MOST_BATCH_S = 20.0
"""Seconds that a batch may take for which its size is compared."""

_MOST_OUTPUTS = 100
_TOLD = 5
"""Messages that are named for one reason; of the others the number."""


@dataclass(eq=False)
class _Found:
    """Numbers of messages: the first few, and how many there are."""

    first: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, number: int) -> None:
        self.count += 1
        if self.count <= _TOLD:
            self.first.append(number)


@dataclass(eq=False)
class Passes:
    """One trial's passes; what they find is written into the trial.

    Attributes:
        settings, batcher, observer, trial: what it is made of.
        noun: what a message is in the file that they are from.
    """

    settings: Settings
    batcher: Batcher
    observer: Observer
    trial: Trial
    noun: str
    _suspect: _Found = field(default_factory=_Found)
    _null: _Found = field(default_factory=_Found)
    _outputs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._limits = self.batcher.limits
        self._taken: dict[int, list[float]] = {}
        self._score = self.batcher.script.score
        self.batcher.script = replace(self.batcher.script, score=self._timed)

    async def go(self, given: Iterator[InputMessage]) -> list[InputMessage]:
        """Score all, compare and measure; gives the first messages."""
        kept: list[InputMessage] = []

        async def noted() -> AsyncIterator[InputMessage]:
            for message in given:
                if len(kept) < _COMPARED:
                    kept.append(message)
                yield message

        self.observer.naming = lambda seqs: self._named(seqs[0], seqs[-1])
        began = time.monotonic()
        await self._carry(noted(), self._answered)
        if self.trial.messages:
            self._sum_up(kept[0])
            each = (time.monotonic() - began) / self.trial.messages
            await self._compare(
                kept[: max(1, int(_COMPARING_S / max(each, 1e-6)))], int(_MOST_BATCH_S / max(each, 1e-6))
            )
        else:
            self.trial.notes.append("nothing was scored: give --sample FILE, or put a body into sample.json beside it")
        return kept

    async def _carry(
        self, messages: AsyncIterator[InputMessage], answered: Callable[[Accepted, Answers], None]
    ) -> None:
        with open(os.devnull, "wb") as out:  # noqa: ASYNC230 - it never blocks
            await carry(self.settings, self.batcher, messages, answered, out=out, watchdog=self.observer)

    def _answered(self, accepted: Accepted, answers: Answers) -> None:
        """Note what one of all messages was answered with."""
        trial, number = self.trial, accepted.seq
        trial.messages += 1
        if answers.error is not None:
            if len(trial.refused) < _TOLD:
                trial.refused.append(f"{self.noun} {number}: {answers.error}")
                trial.user_traceback = trial.user_traceback or answers.error.user_traceback
            return
        trial.scored += 1
        if number == 1:
            trial.answers = [cut(each.body, each.system["content_type"]) for each in answers.messages]
        if len(self._outputs) < _MOST_OUTPUTS:
            self._outputs.update(each.output for each in answers.messages)
        for found, is_found in ((self._suspect, is_suspect(answers)), (self._null, holds_null(answers))):
            if is_found:
                found.add(number)

    def _sum_up(self, first: InputMessage) -> None:
        """Say what is to be said of all messages together."""
        trial, notes = self.trial, self.trial.notes
        trial.sample = cut(first.body, first.system.get("content_type", ""))
        if refused := trial.messages - trial.scored:
            where, _, why = trial.refused[0].partition(": ")
            several = f"{refused} of {trial.messages} messages are not scored: {where}: {why}"
            trial.error = several if trial.messages > 1 else f"the sample is not scored: {why}"
            trial.refused += [f"and {refused - _TOLD} more"] if refused > _TOLD else []
        if self._suspect.count:
            what = "looks like an exception that the script caught"
            trial.findings.append(f"the answer to {self._some(self._suspect)} {what}")
        if self._null.count and self.settings.nan == "null":
            notes.append(f"the answer to {self._some(self._null)} holds null: NaN, an infinity or None (SCORING_NAN)")
        named = {output for outputs in self.settings.routes.values() for output in outputs}
        for output in sorted(self._outputs - named - {self.settings.errors_output, self.settings.nothing_output}):
            notes.append(f"the script names the output {output}: the deployment needs a route from it")

    async def _compare(self, kept: Sequence[InputMessage], largest: int) -> None:
        """Score messages one at a time and in batches, as long as that finds nothing; measure each size."""
        answers = await self._answers(kept, 1)
        alone = {number: each for number, each in enumerate(answers, 1) if each.error is None}
        messages = [kept[number - 1] for number in alone]
        if not messages:
            return
        await self._measure(messages, 1)
        most = self.trial.max_size
        sizes = sorted({*(size for size in SIZES if size < most), most} - {1})
        if too_slow := [size for size in sizes if size > largest]:
            sizes = sizes[: -len(too_slow)]
            self.trial.notes.append(f"batches of {too_slow[0]} and more were not compared: they take too long")
        again = await self._answers(messages, 1) if sizes else []
        if changed := next(
            (number for number, now in zip(alone, again, strict=False) if differ(alone[number], now)), 0
        ):
            note = "gives another answer each time (state, clock or chance): answers in batches were not compared"
            self.trial.notes.append(f"{self._one(changed)} {note}")
        for size in sizes:
            if finding := await self._finding(messages, alone, size, compare=not changed):
                self.trial.findings.append(finding)
                return
            await self._measure(messages, size)

    async def _finding(
        self, messages: Sequence[InputMessage], alone: Mapping[int, Answers], size: int, *, compare: bool
    ) -> str:
        """Say what is wrong with batches of a size, empty if nothing is."""
        self.batcher.script.halved.clear()
        answers = await self._answers(list(islice(cycle(messages), max(size, len(messages)))), size)
        for number, now in zip(cycle(alone), answers, strict=False) if compare else ():
            if differ(alone[number], now):
                each = f"{brief(now)} in a batch of {size} and {brief(alone[number])} alone"
                return f"{self._one(number)} gives {each}: run() has to treat each request by itself"
        what = f"run() fails with {size} requests together, not alone, and is called again with fewer"
        return next((f"{what}: {why}" for why in self.batcher.script.halved), "")

    async def _answers(self, messages: Sequence[InputMessage], size: int) -> list[Answers]:
        """Score messages in batches of a size."""
        answers: list[Answers] = []
        self.observer.naming = lambda seqs: f"{len(seqs)} messages" if len(seqs) > 1 else "one message"
        self.batcher.limits = replace(self._limits, max_size=size, max_delay=_FILL)
        await self._carry(arriving(iter(messages), wait=False), lambda _, answer: answers.append(answer))
        return answers

    async def _measure(self, messages: Sequence[InputMessage], size: int) -> None:
        """Score messages until the time of a call of this size is known."""
        batch = list(islice(cycle(messages), size))
        taken = self._taken.setdefault(size, [])
        while not taken or (len(taken) < _MOST_CALLS and sum(taken) < SECONDS):
            await self._answers(batch, size)
        self.trial.milliseconds[size] = round(1e3 * sorted(taken)[len(taken) // 2], 4)

    def _timed(self, requests: Sequence[Request]) -> list[Outcome]:
        """Score, and keep how long it took on the scoring thread itself."""
        began = time.perf_counter()
        outcomes = self._score(requests)
        self._taken.setdefault(len(outcomes), []).append(time.perf_counter() - began)
        return outcomes

    def _named(self, first: int, last: int) -> str:
        return f"{self.noun} {first}" if first == last else f"{self.noun}s {first} to {last}"

    def _one(self, number: int) -> str:
        return "the sample" if self.trial.messages == 1 else f"{self.noun} {number}"

    def _some(self, found: _Found) -> str:
        if found.count == 1:
            return self._one(found.first[0])
        more = f" and {found.count - _TOLD} more" if found.count > _TOLD else ""
        return f"{self.noun}s {', '.join(map(str, found.first))}{more}"
