"""The numbers at the end, and what they are made of."""

import json
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.simulator.scrape import Scraped, Scraper, parse
from module.simulator.summary import Summary, latency_ms

SUMMARY = Summary(
    sent=1000,
    upstream=990,
    by_output={"errors": 1, "amlOutput": 989},
    nothing=10,
    lost=0,
    duplicates=2,
    seconds=2.5,
    messages_per_second=400.0,
    latency_ms={"p50": 1.0, "p99": 9.0},
    mean_batch=31.5,
    restarts=3,
    refused=1,
    unrouted=0,
)
PAGE = b"""# HELP scoring_nothing_total x
# TYPE scoring_nothing_total counter
scoring_nothing_total{module_name="a"} 3.0
scoring_nothing_total{module_name="b"} 4.0
scoring_batch_size_bucket{le="1.0"} 5.0
scoring_batch_size_count 2.0
scoring_batch_size_sum 64.0
scoring_nothing_total_created 1.7e9
"""


def test_the_json_has_the_documented_keys(tmp_path: Path) -> None:
    SUMMARY.write(tmp_path / "s.json")
    assert list(json.loads((tmp_path / "s.json").read_bytes())) == [
        "sent",
        "upstream",
        "by_output",
        "nothing",
        "lost",
        "duplicates",
        "seconds",
        "messages_per_second",
        "latency_ms",
        "mean_batch",
        "restarts",
        "refused",
        "unrouted",
    ]


def test_the_text_says_it_for_people() -> None:
    assert SUMMARY.text().splitlines() == [
        "sent        1,000, 1 refused as too large",
        "outputs     amlOutput 989, errors 1, 10 answered with NOTHING",
        "upstream    990",
        "lost        0, 2 duplicates, 3 restarts",
        "throughput  400 messages/s over 2.5 s",
        "latency     p50 1.0 ms, p99 9.0 ms",
        "mean batch  31.5",
    ]


def test_a_summary_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot write"):
        SUMMARY.write(tmp_path)


def test_latencies() -> None:
    assert latency_ms([]) == {"p50": None, "p99": None}
    assert latency_ms([0.002]) == {"p50": 2.0, "p99": 2.0}
    assert latency_ms([n / 1000 for n in range(200, 0, -1)]) == {"p50": 100.0, "p99": 198.0}


def test_counters_are_summed_over_labels() -> None:
    assert parse(PAGE) == Scraped(nothing=7.0, requests=64.0, batches=2.0)


async def test_counters_are_summed_over_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = iter([PAGE, None, PAGE])
    monkeypatch.setattr("module.simulator.scrape._read", lambda _: next(pages))
    scraper = Scraper(9600)
    assert scraper.mean_batch is None
    await scraper.poll()
    await scraper.poll()
    assert scraper.total == Scraped(7.0, 64.0, 2.0)
    scraper.new_life()
    await scraper.poll()
    assert scraper.total == Scraped(14.0, 128.0, 4.0)
    assert scraper.mean_batch == 32.0
