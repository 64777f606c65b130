"""Merges requests of a classic script where that is proved harmless, and stops for good at the first difference."""

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .merge import Mergeable, merge, mergeable, split
from .proof import LEAST, SAMPLES, Child

CHECK_EVERY = 1000
"""Merged calls of which one is scored both ways again, in a child."""

_ATTEMPTS = 3

_log = logging.getLogger(__name__)


class Merging:
    """One script's merging; used on the scoring thread only.

    Attributes:
        is_on: whether requests are merged at present.
        why: the sentence that says why or why not.
    """

    def __init__(self, directory: Path, script: str, mode: str, samples: Sequence[object] = ()) -> None:
        """Take the mode (``off``, ``prove``, ``always``) and samples that are known before the first message."""
        self._directory, self._script = directory, script
        self._memory_mb = int(os.environ.get("SCORING_PROOF_MEMORY_MB") or 2048)
        self._seconds = float(os.environ.get("SCORING_PROOF_TIMEOUT_S") or 120)
        self._samples = {json.dumps(sample, sort_keys=True): sample for sample in samples}
        self._child: Child | None = None
        self._attempts = 0 if mode == "prove" else _ATTEMPTS
        self._is_checked = mode == "prove"
        self._calls = 0
        self.is_on = mode == "always"
        self.why = {"off": "switched off", "always": "switched on, not proved"}.get(mode, "not proved yet")

    def score(self, call: Callable[[object], object], given: Sequence[object]) -> list[object] | None:
        """Score the first requests of one shape in one call; None if they have to be scored one by one."""
        self._hear_the_child()
        if not self.is_on:
            self._collect(given)
            return None
        requests = _of_one_shape(given)
        if len(requests) < 2:
            return None
        try:
            outcomes = split(call(merge(requests)), len(requests), requests[0].shape.rows)
        except Exception:
            return None  # one by one says whose fault it is
        if outcomes is None:
            self._stop("a merged call gave a result without one entry a row")
            return None
        self._calls += 1
        if self._is_checked and self._calls % CHECK_EVERY == 0 and self._child is None:
            self._begin(given[: len(requests)])
        return outcomes

    def _collect(self, given: Sequence[object]) -> None:
        """Keep copies of the first messages until they are enough for a proof."""
        if self._attempts >= _ATTEMPTS or self._child is not None:
            return
        shape = next((known.shape for sample in self._samples.values() if (known := mergeable(sample))), None)
        for each in given:
            request = mergeable(each)
            if request is not None and shape in (None, request.shape):
                shape = request.shape
                self._samples[json.dumps(each, sort_keys=True)] = each
        if len(self._samples) >= max(LEAST, SAMPLES >> (2 - self._attempts)):
            self._attempts += 1
            self._begin(list(self._samples.values())[-SAMPLES:])

    def _begin(self, samples: Sequence[object]) -> None:
        self._child = Child(self._directory, self._script, samples, memory_mb=self._memory_mb, seconds=self._seconds)

    def _hear_the_child(self) -> None:
        verdict = None if self._child is None else self._child.verdict()
        if verdict is None:
            return
        self._child = None
        if verdict.proved:
            self.is_on, self.why = True, verdict.why
            self._attempts = _ATTEMPTS
            self._samples.clear()
            _log.info("requests are merged into one run(): %s", verdict.why)
        elif self.is_on and verdict.final:
            self._stop(verdict.why)
        elif not self.is_on:
            self.why = verdict.why
            self._attempts = _ATTEMPTS if verdict.final else self._attempts
            _log.info("requests are not merged: %s", verdict.why)

    def _stop(self, why: str) -> None:
        self.is_on, self.why = False, why
        self._attempts = _ATTEMPTS
        _log.warning("requests are no longer merged: %s", why)


def _of_one_shape(given: Sequence[object]) -> list[Mergeable]:
    """Give the first requests as far as they have the shape of the first."""
    requests: list[Mergeable] = []
    for each in given:
        request = mergeable(each)
        if request is None or (requests and request.shape != requests[0].shape):
            break
        requests.append(request)
    return requests
