"""The ways of a trial's messages: all through the pipeline as on a device, then the first ones in several sizes."""

import io
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

ODD = 7
"""A batch size that is compared besides: others, and those on devices, are seldom powers of two."""

SECONDS = 0.3
"""What the measurement of one size takes at most, beyond its first call."""

_MOST_CALLS = 300
_COMPARED = 128
_COMPARING_S = 2.0
_REPEATS = 2
_DOUBTS = 3
"""Messages that are compared at most; about the seconds that they may take one at a time; how often they are scored
again so, to know chance from batches, and how often the one for which a batch would be blamed."""

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


class _Nowhere(io.BytesIO):
    """Takes what would leave; no file, whose descriptor a script may close."""

    def write(self, data: object) -> int:
        return 0


class _FindingError(Exception):
    """What ends the comparison: a finding, in its words."""


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
    _scored: set[int] = field(default_factory=set)
    _each: float = 1.0
    _calls: int = 0

    def __post_init__(self) -> None:
        self._limits = self.batcher.limits
        self._taken: dict[int, list[float]] = {}
        self._score = self.batcher.script.score
        self.batcher.script = replace(self.batcher.script, score=self._timed)

    async def go(self, given: Iterator[InputMessage]) -> list[InputMessage]:
        """Score all; gives the first messages."""
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
            self._each = max((time.monotonic() - began) / self.trial.messages, 1e-6)
        else:
            self.trial.notes.append("nothing was scored: give --sample FILE, or put a body into sample.json beside it")
        return kept

    async def _carry(
        self, messages: AsyncIterator[InputMessage], answered: Callable[[Accepted, Answers], None]
    ) -> None:
        await carry(self.settings, self.batcher, messages, answered, out=_Nowhere(), watchdog=self.observer)

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
        if number <= _COMPARED:
            self._scored.add(number)
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

    async def compare(self, kept: Sequence[InputMessage]) -> None:
        """Score messages one at a time and in batches, as long as that finds nothing; measure each size."""
        some = enumerate(kept[: max(1, int(_COMPARING_S / self._each))], 1)
        if messages := {number: message for number, message in some if number in self._scored}:
            try:
                await self._compare(messages)
            except _FindingError as found:
                self.trial.findings.append(str(found))

    async def _compare(self, messages: Mapping[int, InputMessage]) -> None:
        notes, requests = self.trial.notes, sum(size * len(taken) for size, taken in self._taken.items())
        alone = dict(zip(messages, await self._again(messages, 1), strict=True))
        changed = await self._measure(messages, 1, alone)
        for _ in range(_REPEATS):
            other = _other(alone, await self._again(messages, 1))
            changed = changed or (other[0] if other else 0)
        most = self.trial.max_size
        sizes = sorted({*(size for size in (*SIZES, ODD) if size < most), most} - {1})
        if changed:
            self._by_chance(changed, alone)
        elif sizes and requests == 1:
            notes.append("one sample: mixing of rows in a batch cannot be seen: give several")
        if too_slow := [size for size in sizes if size > _MOST_BATCH_S / self._each]:
            sizes = sizes[: -len(too_slow)]
            notes.append(f"batches of {too_slow[0]} and more were not compared: they take too long")
        self.trial.compared = [1] if sizes and alone else []
        for size in sizes:
            await self._try_batches(messages, alone, size)
            if size != ODD:
                await self._measure(messages, size, {})

    async def _try_batches(self, messages: Mapping[int, InputMessage], alone: dict[int, Answers], size: int) -> None:
        """Score in batches of a size, and compare with what each message gives alone; forget that if it was chance.

        Raises:
            _FindingError: it gives something else.
        """
        answers = await self._again(messages, size)
        if (other := _other(alone, answers)) is None:
            self.trial.compared += [size] if alone else []
            return
        number, now = other
        each = f"{brief(now)} in a batch of {size} and {brief(alone[number])} alone"
        for _ in range(_DOUBTS):
            if _other({number: alone[number]}, await self._again({number: messages[number]}, 1)):
                self._by_chance(number, alone)
                return
        raise _FindingError(f"{self._one(number)} gives {each}: run() has to treat each request by itself")

    def _by_chance(self, number: int, alone: dict[int, Answers]) -> None:
        """Note that a message gives now this and now that alone: then nothing can be said of batches."""
        alone.clear()
        self.trial.compared.clear()
        batches = ": answers in batches were not compared" if self.trial.max_size > 1 else ""
        self.trial.notes.append(f"{self._one(number)} gives another answer each time (state, clock or chance){batches}")

    async def _again(self, messages: Mapping[int, InputMessage], size: int) -> list[Answers]:
        """Score messages that were scored before, in batches of a size, and from the first on until one is full.

        Raises:
            _FindingError: one of them, or a batch, fails.
        """
        answers: list[Answers] = []
        numbers = list(islice(cycle(messages), max(size, len(messages))))
        self.observer.naming = lambda seqs: f"{len(seqs)} messages" if len(seqs) > 1 else "one message"
        self.batcher.limits = replace(self._limits, max_size=size, max_delay=_FILL)
        halved = self.batcher.script.halved
        halved.clear()
        given = iter([messages[number] for number in numbers])
        await self._carry(arriving(given, wait=False), lambda _, answer: answers.append(answer))
        for number, each in zip(numbers, answers, strict=True):
            if each.error is not None:
                when = f"in a batch of {size}" if size > 1 else "when it is scored again"
                calls = f"run() was called {self._calls} times by then"
                raise _FindingError(f"{self._one(number)} was scored, and fails {when} ({calls}): {each.error}")
        if halved:
            what = f"run() fails with {size} requests together, not alone, and is called again with fewer"
            raise _FindingError(f"{what}: {halved[0]}")
        return answers

    async def _measure(self, messages: Mapping[int, InputMessage], size: int, alone: Mapping[int, Answers]) -> int:
        """Score messages until the time of a call of this size is known; gives one that gave something else, or 0."""
        batch = dict(islice(messages.items(), size))
        known = {number: alone[number] for number in batch if number in alone}
        taken, changed = self._taken.setdefault(size, []), 0
        while not taken or (len(taken) < _MOST_CALLS and sum(taken) < SECONDS):
            other = _other(known, await self._again(batch, size))
            changed = changed or (other[0] if other else 0)
        self.trial.milliseconds[size] = round(1e3 * sorted(taken)[len(taken) // 2], 4)
        return changed

    def _timed(self, requests: Sequence[Request]) -> list[Outcome]:
        """Score, and keep how long it took on the scoring thread itself."""
        began = time.perf_counter()
        self._calls += 1
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


def _other(known: Mapping[int, Answers], answers: Sequence[Answers]) -> tuple[int, Answers] | None:
    """Give the first message, and its answer, that is another one than is known, if there is one."""
    pairs = zip(cycle(known), answers, strict=False)
    return next(((number, now) for number, now in pairs if differ(known[number], now)), None)
