"""While a model's provider fails, its calls run on the CPU: out of memory passes, a lost device needs a restart."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from ..errors import ScoringError
from .model_registry import LoadedModel
from .plan import CPU
from .sessions import FeedsMaker, Sessions

_PAUSE, _MAX_PAUSE = 60.0, 3600.0
"""Seconds until a provider that failed is tried again: the first time, the longest."""

_log = logging.getLogger(__name__)


class Failover:
    """Runs calls on the sessions that are wanted, else on those of the CPU."""

    def __init__(self, sessions: Sessions, spare: Callable[[], Sessions], loaded: LoadedModel) -> None:
        """Take the sessions.

        Args:
            sessions: the wanted ones.
            spare: opens those of the CPU, when they are needed.
            loaded: is told which provider is in use, and why if it is not the wanted one.
        """
        self._sessions, self._loaded = sessions, loaded
        self._spare = cache(spare)
        self._pause, self._again_at = 0.0, 0.0

    def run(self, calls: Sequence[FeedsMaker]) -> list[list[Any]]:
        """Run calls; what fails on the CPU too is not the provider's fault, and what the CPU says is raised."""
        if time.monotonic() < self._again_at:
            return self._spare().run(calls)
        try:
            outputs = self._sessions.run(calls)
        except Exception as error:
            if self._sessions.setup.provider == CPU or isinstance(error, InvalidArgument | ScoringError):
                raise
            outputs = self._spare().run(calls)
            self._pause = min(max(2 * self._pause, _PAUSE), _MAX_PAUSE)
            self._again_at = time.monotonic() + self._pause
            self._loaded.provider = CPU
            self._loaded.trouble = f"{self._sessions.setup.provider} failed: {' '.join(str(error).split())[:300]}"
            _log.warning("%s; the CPU is used, the next try is in %.0f s", self._loaded.trouble, self._pause)
        else:
            if self._pause:
                self._pause, self._loaded.provider, self._loaded.trouble = 0.0, self._sessions.setup.provider, ""
                _log.warning("%s works again and is used", self._loaded.provider)
        return outputs
