"""The twin, reported side: what the module says of itself to IoT Hub, at most once a minute."""

import asyncio
import logging
import time
from typing import Any

from .status import Status

EVERY = 60.0
"""Seconds between two updates at least."""

_MAX_VALUE = 1024
_TIMEOUT = 30.0
_CHECK = 5.0

_log = logging.getLogger(__name__)


class Reporter:
    """Keeps the reported properties equal to the status, whatever client the connection has at the time."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._client: Any = None
        self._reported: dict[str, str] = {}
        self._next = 0.0

    def connected(self, client: Any) -> None:
        """Use another client of the SDK from now on; the hub keeps what was reported through the last one."""
        self._client = client

    async def keep_reporting(self) -> None:
        """Report what has changed, for ever."""
        while True:
            await self._report()
            await asyncio.sleep(_CHECK)

    async def _report(self) -> None:
        # IoT Hub takes 4 KB a value and 32 KB a twin; a lost update would be lost for ever without the comparison.
        current = {name: value[:_MAX_VALUE] for name, value in self._status.report().items()}
        patch = {name: value for name, value in current.items() if self._reported.get(name) != value}
        if not patch or self._client is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._client.patch_twin_reported_properties(patch)
        except Exception as error:
            _log.warning("the reported properties were not updated, next try in %g s: %r", EVERY, error)
        else:
            self._reported = current
