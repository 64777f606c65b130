"""Reads the module's ``/metrics`` and adds up its counters over all its lives."""

import asyncio
import http.client
import re
from typing import NamedTuple

_SAMPLE = re.compile(
    rb"^(scoring_nothing_total|scoring_batch_size_sum|scoring_batch_size_count)(?:\{.*\})? (\S+)", re.M
)
_MAX_PAGE = 4_000_000


class Scraped(NamedTuple):
    """Counters: answers that were NOTHING; requests in all batches; batches."""

    nothing: float = 0.0
    requests: float = 0.0
    batches: float = 0.0

    def plus(self, other: "Scraped") -> "Scraped":
        """Add counter by counter."""
        return Scraped(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Scraper:
    """Keeps the last counters of this life and the sum of those before."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._before = Scraped()
        self._current = Scraped()
        self._lives = 0

    @property
    def total(self) -> Scraped:
        """The counters over all lives, as of the last poll of each."""
        return self._before.plus(self._current)

    @property
    def mean_batch(self) -> float | None:
        """Requests in a batch on average; None if the module never told."""
        return self.total.requests / self.total.batches if self.total.batches else None

    async def poll(self) -> None:
        """Read the counters; without an answer within a second they stay as they were."""
        life = self._lives
        page = await asyncio.to_thread(_read, self._port)
        if page is not None and life == self._lives:
            self._current = parse(page)

    def new_life(self) -> None:
        """The process ended; its successor counts from 0."""
        self._before, self._current = self.total, Scraped()
        self._lives += 1


def parse(page: bytes) -> Scraped:
    """Give the counters of a page in Prometheus text format, summed over their labels."""
    sums = {b"scoring_nothing_total": 0.0, b"scoring_batch_size_sum": 0.0, b"scoring_batch_size_count": 0.0}
    for name, value in _SAMPLE.findall(page):
        sums[name] += float(value)
    return Scraped(*sums.values())


def _read(port: int) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        return response.read(_MAX_PAGE) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
