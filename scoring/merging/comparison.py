"""The trial of merging: requests, live and made up from live ones, must give merged what they give one by one.

What is made up looks for rows that see each other: equal rows, equal values, zeros, signs, extremes.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any

import msgspec

from ..errors import ScoringError
from ..predictions import SUSPECT, Outcome
from .request_merge import Mergeable, merge, split

SIZES = (2, 3, 5, 8, 16, 32, 64)
"""Requests of a merged call that are tried, as far as one by one they take no more than SECONDS."""

SECONDS = 0.5
"""What the requests of a merged call may take one by one: longer ones gain little, and would hold others up."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """A script's ways to score.

    Attributes:
        call: run() for one request; raises what it raises.
        answer: what a result of run() becomes, at once: the next call may overwrite it.
        one_by_one: scores the first of some requests, at least one; never raises.
    """

    call: Callable[[object], object]
    answer: Callable[[object], Outcome]
    one_by_one: Callable[[Sequence[object]], list[Outcome]]

    def merged(self, requests: Sequence[Mergeable]) -> list[Outcome] | None:
        """Score requests of one shape in one call; None if its result has not one entry a row."""
        parts = split(self.call(merge(requests)), len(requests), requests[0].shape.rows)
        return None if parts is None else [self.answer(part) for part in parts]

    def alone(self, request: Mergeable) -> bytes | None:
        """Give the exact form of what a request gives in a call of its own; None if it fails."""
        (outcome,) = self.one_by_one([merge([request])])
        return exact(outcome) if is_good(outcome) else None


def is_good(outcome: Outcome) -> bool:
    """Say whether an outcome is neither an error nor a caught one: a bad row may spoil what shares a call with it."""
    return not isinstance(outcome, ScoringError) and not any(SUSPECT in each.properties for each in outcome)


def exact(outcome: Outcome) -> bytes:
    """Give a form of an outcome that is equal only if every bit of what leaves is."""
    told = repr(outcome) if isinstance(outcome, ScoringError) else outcome
    return msgspec.msgpack.encode(told)


def most_merged(seconds: float) -> int:
    """Give how many requests may share a call if one takes so long; 0: none."""
    return max((size for size in SIZES if size * seconds <= SECONDS), default=0)


def differences(scoring: Scoring, samples: Sequence[Mergeable], most: int) -> Iterator[str]:
    """Compare, one merged call after the other; gives what is different, empty for what is equal."""
    chance = random.Random(len(samples))  # noqa: S311 - reproducible, not secret
    sizes = [size for size in SIZES if size <= most]
    others = [chance.randint(2, most) for _ in SIZES if sizes]
    for size in (*islice(cycle(sizes), len(SIZES)), *others):
        start = chance.randrange(len(samples))
        yield difference(scoring, [samples[(start + n) % len(samples)] for n in range(size)])
        yield difference(scoring, chance.choices(samples, k=size))
        yield difference(scoring, [chance.choice(samples)] * size)
        few = chance.choices(samples, k=3)
        for extremes in (0.0, 0.3):
            yield difference(scoring, [_made_up(chance.choice(samples), few, extremes, chance) for _ in range(size)])


def difference(scoring: Scoring, requests: Sequence[Mergeable]) -> str:
    """Say what is different if these requests are merged; empty if nothing is."""
    alone = [each.alone or scoring.alone(each) for each in requests]
    good = [(each, one) for each, one in zip(requests, alone, strict=True) if one is not None]
    if len(good) < 2:
        return ""
    try:
        merged = scoring.merged([request for request, _ in good])
    except BaseException as error:  # SystemExit too
        return f"{len(good)} requests merged fail: {type(error).__name__}: {error}"[:300]
    if merged is None:
        return f"the result of {len(good)} requests merged has not one entry a row"
    if [exact(outcome) for outcome in merged] != [one for _, one in good]:
        return f"{len(good)} requests merged give other results than one by one"
    return ""


def _made_up(sample: Mergeable, few: Sequence[Mergeable], extremes: float, chance: random.Random) -> Mergeable:
    """Give a request whose values are in part those of a few others at the same place, in part extreme."""
    donors = [chance.choice(few).rows for _ in range(2)]
    rows = [_varied(row, [donor[n] for donor in donors], extremes, chance) for n, row in enumerate(sample.rows)]
    return replace(sample, rows=rows, alone=None)


def _varied(value: object, donors: Sequence[Any], extremes: float, chance: random.Random) -> object:
    """Vary a value; all have one look, so that what is in a row is in its donors too."""
    if isinstance(value, dict):
        return {key: _varied(value[key], [donor[key] for donor in donors], extremes, chance) for key in value}
    if isinstance(value, list):
        return [_varied(each, [donor[n] for donor in donors], extremes, chance) for n, each in enumerate(value)]
    if chance.random() >= extremes:
        return chance.choice([value, *donors])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):  # may be a size, a count: no large ones
        return chance.choice((0, -value, 2 * value, value - 1, value + 1))
    return chance.choice((0.0, -value, 2 * value, 10 * value, 1000 * value, value / 1000))
