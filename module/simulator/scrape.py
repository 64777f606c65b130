"""Reads the module's ``/metrics`` and adds up the sizes of its batches over all its lives.

Whatever answers on the port is believed only if it says the name of this run's hub, which nobody else was told.
"""

import asyncio
import http.client
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import closing

from prometheus_client.parser import text_string_to_metric_families

from ..errors import SettingsError

_REQUESTS, _BATCHES = "scoring_batch_size_sum", "scoring_batch_size_count"
_MAX_PAGE = 4_000_000


class Scraper:
    """Keeps the last counters of this life and the sum of those before."""

    def __init__(self, port: int, iothub: str) -> None:
        """Read the port of the module that is connected to this hub; 0: it has none."""
        self._port, self._iothub = port, iothub
        self._before: Counter[str] = Counter()
        self._current: Counter[str] = Counter()
        self._lives = 0

    @property
    def mean_batch(self) -> float | None:
        """Requests in a batch on average over all lives, as of the last poll of each; None if the module never told."""
        total = self._before + self._current
        return total[_REQUESTS] / total[_BATCHES] if total[_BATCHES] else None

    async def poll(self) -> None:
        """Read the counters; without an answer within a second they stay as they were."""
        life = self._lives
        page = await asyncio.to_thread(_read, self._port) if self._port else None
        if page is not None and life == self._lives:
            self._current = parse(page, self._iothub)

    def new_life(self) -> None:
        """The process ended; its successor counts from 0."""
        self._before += self._current
        self._current = Counter()
        self._lives += 1


def parse(page: bytes, iothub: str) -> Counter[str]:
    """Give sum and count of batch sizes on a page in Prometheus text format, of this hub alone, over all other labels.

    What is no such page gives nothing.
    """
    sums: Counter[str] = Counter()
    try:
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                if sample.name in (_REQUESTS, _BATCHES) and sample.labels.get("iothub") == iothub:
                    sums[sample.name] += sample.value  # type: ignore[assignment] # a Counter may count halves
    except ValueError:
        return Counter()
    return sums


def free_port() -> int:
    """Give a port that nobody listens at, on no address."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - as the module does
        return int(probe.getsockname()[1])


def port_of(environment: Mapping[str, str]) -> int:
    """Give the port of the module that is started with this environment.

    Raises:
        SettingsError: it is no number.
    """
    text = environment.get("SCORING_HTTP_PORT") or "9600"
    if not text.isdigit():
        raise SettingsError(f"SCORING_HTTP_PORT {text} is not a port number")
    return int(text)


def _read(port: int) -> bytes | None:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)) as connection:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            return response.read(_MAX_PAGE) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
