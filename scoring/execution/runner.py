"""Runs a model the way that is best here: opens the wanted provider, measures, then splits, pads, calls and joins."""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache, partial
from itertools import accumulate, chain
from typing import Any

import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from ..errors import ModelError, RunError, ScoringError
from ..options import Options
from .calibration import measure, repeated, setups
from .calibration_cache import Cache
from .cores import cpu_threads
from .mixing import is_mixing, mixes_made_up
from .model_registry import LoadedModel
from .plan import CPU, Measurement, Plan, Setup, choose
from .providers import UnusableError, mentions, nodes_on, wanted
from .sessions import Feeds, FeedsMaker, SessionRun, Sessions

_ENOUGH = 500_000.0
"""Rows a second of one thread beyond which neither more of them nor a GPU gain anything: a message costs far more."""

_PAUSE, _MAX_PAUSE = 60.0, 3600.0
"""Seconds until a provider that failed is tried again: the first time, the longest."""

_log = logging.getLogger(__name__)


class Runner:
    """A model's sessions and the plan by which they are used.

    Attributes:
        is_ready: whether prepare() has been called.
        shares: whether rows may share a call; false once prove() has seen that they change each other's outputs.
        sessions: those in use, but while their provider fails.
    """

    def __init__(self, loaded: LoadedModel, options: Options, run: SessionRun) -> None:
        """Open the model as the last start's measurements say, else on the first provider that can be used.

        Args:
            loaded: the model; is told what is in use.
            options: the providers wanted, what measuring and a batch may take, where the measurements are kept.
            run: runs a session once.

        Raises:
            ModelError: the model does not load; a provider cannot be used and SCORING_PROVIDER_POLICY is strict.
        """
        self._loaded, self._options, self._run = loaded, options, run
        self._wanted, self._is_auto = wanted(options)
        # With two threads or more, 28–64 % of the rows of a batch of 64 differ in their last bits from single calls.
        self._one_thread = mentions(loaded.path, b"TreeEnsemble")
        self._threads = 1 if self._one_thread else cpu_threads()
        self._cache = Cache(options.journal_dir if options.calibration_s else None, loaded.sha256, self._wanted)
        kept = self._cache.get()
        self._measures = bool(options.calibration_s) and kept is None
        if kept is not None and not kept:
            _log.warning("the last start ended while it measured %s: it is not measured again", loaded.path.name)
        self.is_ready, self.shares = False, True
        self._pause, self._again_at = 0.0, 0.0
        if not self._use_best(kept or []):
            self._use_first()

    def prepare(self, rows: Feeds, *, batches: bool) -> None:
        """Measure, if that is not done, and run every size that will be used: the first time of each is slow.

        Args:
            rows: one row, or one request of a model without a batch axis.
            batches: whether rows share a call.

        Raises:
            Exception: what ONNX Runtime raises if the model does not take the row.
        """
        if self._measures:
            measured = self._measure(rows, batches=batches)
            self._measures = False
            self._use_best(measured)
        try:
            for size in self._pads or sorted({1, self._loaded.plan.size or 1}):
                self.sessions.run_each(repeated(rows, size))
        except Exception as error:
            if self.sessions.setup.provider == CPU or isinstance(error, InvalidArgument):
                raise
            self._refuse(self.sessions.setup.provider, error)
            self._use(self._unmeasured(CPU))
        self.is_ready = True

    def prove(self, rows: Feeds, *, made_up: bool = False) -> None:
        """Run rows together and alone; if they change each other's outputs, each is a call of its own from now on.

        Args:
            rows: two rows or more.
            made_up: whether the first of them is run beside made-up ones too.

        Raises:
            Exception: what ONNX Runtime raises if the model does not take a row.
        """

        def run(feeds: Feeds) -> list[Any]:
            return self.calls([lambda: feeds])[0]

        first = {name: array[:1] for name, array in rows.items()}
        if self.shares and (is_mixing(run, rows) or (made_up and mixes_made_up(run, first))):
            self.keep_apart()

    def keep_apart(self) -> None:
        """Make each row a call of its own from now on, and say so."""
        if self.shares:
            self.shares = False
            _log.warning(
                "%s changes what it gives for a request by those beside it, so that each is a call of its own: write "
                '{"batch": false} into scoring.json if its first dimension is time, say, or true if they may share one',
                self._loaded.path.name,
            )

    def calls(self, calls: Sequence[FeedsMaker]) -> list[list[Any]]:
        """Run calls; gives the outputs of each, in order.

        While the provider fails they run on the CPU: out of memory passes, a lost device needs a restart. What fails
        there too is not the provider's fault, and what the CPU says is raised.
        """
        if time.monotonic() < self._again_at:
            return self._spare().run(calls)
        provider = self.sessions.setup.provider
        try:
            outputs = self.sessions.run(calls)
        except Exception as error:
            if provider == CPU or isinstance(error, InvalidArgument | ScoringError):
                raise
            outputs = self._spare().run(calls)
            self._pause = min(max(2 * self._pause, _PAUSE), _MAX_PAUSE)
            self._again_at = time.monotonic() + self._pause
            self._loaded.provider = CPU
            self._loaded.trouble = f"{provider} failed: {' '.join(str(error).split())[:300]}"
            _log.warning("%s; the CPU is used, the next try is in %.0f s", self._loaded.trouble, self._pause)
        else:
            if self._pause:
                self._pause, self._loaded.provider, self._loaded.trouble = 0.0, provider, ""
                _log.warning("%s works again and is used", provider)
        return outputs

    def rows(self, stacked: Callable[[slice], Feeds], count: int) -> list[Any]:
        """Run rows in as many calls as the plan says; gives the outputs as those of one call.

        Args:
            stacked: gives the feeds of some of the rows; called on the thread that runs them.
            count: of all rows.

        Raises:
            RunError: an output has not one row per row of the inputs.
        """
        sizes, pads = self._split(count) if self.shares else [1] * count, self._pads
        ends = accumulate(sizes)
        calls = [partial(filled, stacked, slice(end - size, end), pads) for size, end in zip(sizes, ends, strict=True)]
        outputs = self.calls(calls)
        for size, given in zip(sizes, outputs, strict=True):
            rows = padded(size, pads)
            for name, output in zip(self._names, given, strict=True):
                if len(output) != rows:
                    found = f"{len(output)} rows of {name} for {rows} requests"
                    raise RunError(f'the model gave {found}: write {{"batch": false}} into scoring.json')
        return joined(outputs, sizes)

    def _use(self, plan: Plan) -> None:
        self.sessions = self._open(plan.setup)
        self._names = [output.name for output in self.sessions.first.get_outputs()]
        self._split, self._pads = lru_cache(1024)(plan.split), plan.pads
        self._spare = cache(lambda: self._open(Setup(CPU, self._threads)))
        self._pause = self._again_at = 0.0
        self._loaded.plan, self._loaded.provider = plan, plan.setup.provider
        self._loaded.nodes = nodes_on(self.sessions.first, plan.setup.provider)

    def _open(self, setup: Setup) -> Sessions:
        return Sessions(self._loaded.path, setup, self._wanted[setup.provider], self._run)

    def _use_best(self, measured: Sequence[Measurement]) -> bool:
        """Use the best plan by these measurements; False if there is none, or its GPU is there no more."""
        with suppress(UnusableError):
            if plan := choose(measured, self._options.latency_target_ms / 1000):
                self._use(plan)
                return True
        return False

    def _use_first(self) -> None:
        """Use the first provider that can be used; the CPU where the fastest is still to be found, if it can."""
        order = [CPU, *self._wanted] if self._is_auto and self._measures else [*self._wanted]
        for provider in order:
            try:
                return self._use(self._unmeasured(provider))
            except UnusableError as error:
                self._refuse(provider, error)
            except ModelError:
                if provider is order[-1]:
                    raise
        raise ModelError(self._loaded.trouble)

    def _unmeasured(self, provider: str) -> Plan:
        return Plan(Measurement(Setup(provider, self._threads), {}, {}))

    def _refuse(self, provider: str, error: Exception) -> None:
        sentence = f"{provider} cannot be used: {error}"
        if self._options.provider_policy == "strict":
            raise ModelError(f"{sentence} (SCORING_PROVIDER_POLICY=degrade would take the next)") from error
        if sentence not in self._loaded.trouble:
            self._loaded.trouble += f"{'; ' if self._loaded.trouble else ''}{sentence}"
            _log.warning("%s; the next provider is tried", sentence)

    def _measure(self, rows: Feeds, *, batches: bool) -> list[Measurement]:
        """Measure every setup that may be chosen, the CPU first: what is instant there is nowhere faster."""
        self._cache.put([])
        start = time.monotonic()
        measured: list[Measurement] = []
        providers = reversed(self._wanted) if self._is_auto else [self._loaded.provider]
        groups = [group for each in providers for group in setups(each, cpu_threads(), one_thread=self._one_thread)]
        is_complete = False
        try:
            for number, group in enumerate(groups, 1):
                until = start + self._options.calibration_s * number / len(groups)
                measured += self._measure_group(group, rows, batches=batches, until=until)
                if any(each.rate(size) > _ENOUGH for each in measured for size in each.together):
                    break
            is_complete = not self._loaded.trouble
        finally:
            self._cache.put(measured if is_complete else None)
        _log.info("%s measured in %.1f s", self._loaded.path.name, time.monotonic() - start)
        return measured

    def _measure_group(self, group: list[Setup], rows: Feeds, *, batches: bool, until: float) -> list[Measurement]:
        provider = group[0].provider
        try:
            return list(measure(self._open(group[0]), group, rows, batches=batches, until=until))
        except InvalidArgument:
            raise
        except Exception as error:
            if provider == CPU and not isinstance(error, ModelError):
                raise
            self._refuse(provider, error)
            return []


def padded(rows: int, pads: Sequence[int]) -> int:
    """Give the number of rows that a call has once it is filled up to the next of ``pads``."""
    place = bisect_left(pads, rows)
    return pads[place] if place < len(pads) else rows


def filled(stacked: Callable[[slice], Mapping[str, Any]], part: slice, pads: Sequence[int]) -> Mapping[str, Any]:
    """Stack a part of the rows as the feeds of a call, and fill them up with copies of the last row."""
    feeds, rows = stacked(part), part.stop - part.start
    missing = padded(rows, pads) - rows
    if not missing:
        return feeds
    return {name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for name, array in feeds.items()}


def joined(outputs: Sequence[Sequence[Any]], sizes: Sequence[int]) -> list[Any]:
    """Give the outputs of several calls as those of one, without what was filled up: arrays, or lists of a ZipMap."""
    if len(outputs) == 1 and len(outputs[0][0]) == sizes[0]:
        return list(outputs[0])
    kept = ([part[:size] for part in call] for call, size in zip(outputs, sizes, strict=True))
    return [
        np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [*chain.from_iterable(parts)]
        for parts in zip(*kept, strict=True)
    ]
