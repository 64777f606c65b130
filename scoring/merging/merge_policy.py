"""Merges requests of a script that takes one: after its reading and a trial, under checks, until the first difference.

All of it happens on the scoring thread, between the batches; only a script that what_stands_against() lets pass is
called more often than it has messages.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..errors import TransientError
from ..predictions import Outcome
from .comparison import Scoring, differences, exact, is_good, most_merged
from .request_merge import Mergeable, Shape, mergeable

LIVE = 64
"""Different live requests of one shape that a trial takes. It makes 70 comparisons with them: an effect that shows in
one merged call of ten passes them once in 1,600 times."""

SURE = 1000
"""Merged answers that are all scored again one by one; of the n-th one later, a share of SURE/n."""

CHECKING = 0.05
"""Of the time of merged calls, what checking may take whatever the number of answers."""

GAIN = 0.8
"""Of the time that a request takes alone, what it may take merged: finding its rows costs more than a quick run()."""

_LEAST = 0.001
"""Seconds that comparisons may take after a batch that takes no time."""

_FEW = 3
_FAILURES = 10
_PATIENCE = 20_000
_SHAPES = 16

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trial:
    """The trial of one shape.

    Attributes:
        samples: exact request → the request, with what it gives alone.
        steps: the comparisons that are left; None before they begin.
        taken, count: the seconds of requests alone, and how many they were.
        credit: seconds that comparisons may take.
        batches, looking: how many there were, and the sum of the seconds that finding the rows took for a request.
        tried: requests in the largest merged call that is compared.
        most: requests in one merged call; 0 until the trial is passed.
    """

    samples: dict[str, Mergeable] = field(default_factory=dict)
    steps: Iterator[str] | None = None
    taken: float = 0.0
    count: int = 0
    batches: int = 0
    credit: float = 0.0
    looking: float = 0.0
    tried: int = 0
    most: int = 0


class Merging:
    """One script's merging; used on the scoring thread only.

    Attributes:
        is_on: whether requests are merged at present.
        why: the sentence that says why or why not.
    """

    def __init__(self, mode: str, read: Callable[[], str], scoring: Scoring) -> None:
        """Take the mode (``off``, ``prove``, ``always``), what says what stands against a trial, and the ways to score.

        The script is read, and scored, after its init() only.
        """
        self._mode, self._read, self._scoring = mode, read, scoring
        self._is_read = self._is_over = False
        self._patience = _PATIENCE
        self._trials: dict[Shape, _Trial] = {}
        self._chance = random.Random()  # noqa: S311 - no secret
        self._answers = self._failures = 0
        self._merged_s = self._checked_s = 0.0
        self.is_on = mode == "always"
        self.why = {"off": "switched off", "always": "switched on, not proved"}.get(mode, "not tried yet")

    def score(self, requests: list[object]) -> list[Outcome] | None:
        """Score the first requests, merged or on trial; None if they have to be scored one by one. Never raises."""
        if self._mode == "off" or self._stands_against():
            return None
        outcomes: list[Outcome] | None = None
        try:
            began = time.perf_counter()
            group = _of_one_shape(requests)
            if not group:
                self._lose_patience(len(requests))
                return None
            trial = self._trials.get(group[0].shape)
            if trial is None:
                if len(self._trials) >= _SHAPES:  # forget the one that has come least far
                    come = {s: LIVE + t.most if t.steps or t.most else len(t.samples) for s, t in self._trials.items()}
                    del self._trials[min(come, key=come.__getitem__)]
                trial = self._trials[group[0].shape] = _Trial()
            if self._mode == "always" or trial.most:
                return self._merged(requests, group[: trial.most or None])
            trial.looking += (time.perf_counter() - began) / len(group)
            began = time.perf_counter()
            outcomes = self._scoring.one_by_one(requests)
            self._go_on(trial, group, outcomes, time.perf_counter() - began)
        except BaseException as error:  # out of memory, say: no failure of merging may be one of the batch
            self._stop(f"it failed: {type(error).__name__}: {error}"[:300])
        return outcomes

    def tried(self, requests: Sequence[object]) -> tuple[bool, str]:
        """Say whether requests would be merged: what the reading says, then a trial of these."""
        if self._mode != "prove" or self._stands_against():
            return self.is_on, self.why
        samples: dict[str, Mergeable] = {}
        by_shape: dict[Shape, list[Mergeable]] = {}
        for rows in filter(None, map(mergeable, requests)):
            by_shape.setdefault(rows.shape, []).append(rows)
        if requests and not by_shape:
            none = f"of {len(requests)} given none holds rows that could be merged, an array of arrays or of objects"
            return False, f"{none}: live messages that do are tried"
        group, began = max(by_shape.values(), key=len, default=[]), time.perf_counter()
        for request in group:
            if (alone := self._scoring.alone(request)) is not None:
                samples[json.dumps(request.rows)] = replace(request, alone=alone)
        took = time.perf_counter() - began
        if (results := len({sample.alone for sample in samples.values()})) < 2 or len(samples) < _FEW:
            wanted = f"{_FEW} different samples of one shape, with 2 different results, are needed"
            there = f"{len(requests)} given: {len(samples)} different of one shape, {results} different results"
            return False, f"to be tried on live messages: {wanted} ({there})"
        compared = differences(self._scoring, list(samples.values()), most_merged(took / len(group)))
        found = next(filter(None, compared), "")
        alike = f"{len(samples)} samples give the same merged and one by one; live ones are tried too"
        return not found, found or alike

    def _stands_against(self) -> bool:
        """Read the script once, and say whether something stands against its trial."""
        if self._mode == "prove" and not self._is_read:
            self._is_read, self.why = True, "on trial"
            if against := self._read():
                self._stop(against)
        return self._is_over

    def _lose_patience(self, count: int) -> None:
        """Give up looking for requests that could be merged, if none comes for long."""
        self._patience -= count
        if self._patience < 0 and not self.is_on and self._mode == "prove":
            self._stop(f"of {_PATIENCE} messages too few hold rows of one shape with different results")

    def _go_on(self, trial: _Trial, group: Sequence[Mergeable], outcomes: Sequence[Outcome], took: float) -> None:
        """Learn from requests that were scored one by one; compare for as long as that took."""
        trial.taken += took
        trial.count += len(outcomes)
        trial.batches += 1
        if trial.steps is None:
            self._lose_patience(len(outcomes))
            for request, outcome in zip(group, outcomes, strict=False):
                if is_good(outcome):
                    trial.samples[json.dumps(request.rows)] = replace(request, alone=exact(outcome))
            if len(trial.samples) < LIVE:
                return
            if len({sample.alone for sample in trial.samples.values()}) < 2:
                trial.samples.clear()  # all alike, they prove nothing
                return
            trial.tried = most_merged(trial.taken / trial.count)
            trial.steps = differences(self._scoring, list(trial.samples.values()), trial.tried)
        trial.credit += max(took, _LEAST)
        while trial.credit > 0:
            began = time.perf_counter()
            found = next(trial.steps, None)
            trial.credit -= time.perf_counter() - began
            if found is None:
                self._pass(trial)
                return
            if found:
                self._stop(found)
                return

    def _pass(self, trial: _Trial) -> None:
        """Merge from now on, if that is quicker."""
        requests = list(trial.samples.values())[: trial.tried]
        trial.samples, trial.steps = {}, None
        if not requests:
            self._stop("run() takes too long for it")
            return
        began = time.perf_counter()
        self._scoring.merged(requests)
        merged = (time.perf_counter() - began) / len(requests) + trial.looking / trial.batches
        if merged > GAIN * trial.taken / trial.count:
            self._stop("run() is too quick to gain by it")
            return
        trial.most = trial.tried
        if not self.is_on:
            self.is_on = True
            self.why = f"{LIVE} messages gave the same merged and one by one; a share is checked on"
            _log.info("requests are merged into one run(): %s", self.why)

    def _merged(self, requests: list[object], group: Sequence[Mergeable]) -> list[Outcome] | None:
        if len(group) < 2:
            return None
        began = time.perf_counter()
        try:
            outcomes = self._scoring.merged(group)
        except BaseException:  # SystemExit too; one by one says whose fault it is
            outcomes = None
        self._merged_s += time.perf_counter() - began
        self._failures = 0 if outcomes else self._failures + 1
        if outcomes is None:
            if self._failures == _FAILURES:
                self._stop(f"{_FAILURES} merged calls failed, or gave a result without one entry a row")
            return None
        return outcomes if self._mode == "always" else self._checked(requests, outcomes)

    def _checked(self, requests: list[object], outcomes: list[Outcome]) -> list[Outcome]:
        """Score a share again one by one. The answers up to the last checked one; after a difference all anew."""
        first, self._answers = self._answers, self._answers + len(outcomes)
        share = SURE / max(SURE, first)
        if self._checked_s < CHECKING * self._merged_s:
            share = max(share, 1 / len(outcomes))
        chosen = [n for n in range(len(outcomes)) if self._chance.random() < share]
        if not chosen:
            return outcomes
        began = time.perf_counter()
        alone = self._scoring.one_by_one([requests[n] for n in chosen])
        self._checked_s += time.perf_counter() - began
        for n, outcome in zip(chosen, alone, strict=False):
            if not isinstance(outcome, TransientError) and exact(outcome) != exact(outcomes[n]):
                self._stop(f"{len(outcomes)} messages merged gave another result than one by one")
                return self._scoring.one_by_one(requests)
        # What there was no time for is left to the next batch.
        return outcomes[: chosen[len(alone)]] if len(alone) < len(chosen) else outcomes

    def _stop(self, why: str) -> None:
        if self.is_on:
            _log.warning("requests are no longer merged: %s", why)
        else:
            _log.info("requests are not merged: %s", why)
        self.is_on, self._is_over, self.why = False, True, why
        self._trials.clear()


def _of_one_shape(given: Sequence[object]) -> list[Mergeable]:
    requests: list[Mergeable] = []
    for each in given:
        request = mergeable(each)
        if request is None or (requests and request.shape != requests[0].shape):
            break
        requests.append(request)
    return requests
