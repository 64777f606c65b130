"""The numbers at the end, and what they are made of."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.simulator.scrape import Scraper, parse, port_of
from module.simulator.summary import Summary, latency_ms

SUMMARY = Summary(
    sent=1000,
    upstream=990,
    by_output={"errors": 1, "amlOutput": 989},
    errors={"RunError": 1},
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
    unsent=0,
    un_acked=0,
    dropped=0,
    out_of_order=0,
    by_order=0,
    crashes=1,
    connects=4,
    stop_code=0,
    kills=None,
    kills_under_way=0,
    unanswered=0,
    foreign=0,
)
PAGE = b"""# HELP scoring_batch_size x
# TYPE scoring_batch_size histogram
scoring_batch_size_bucket{iothub="ours",le="1.0"} 5.0
scoring_batch_size_count{iothub="ours",module_name="a"} 2.0
scoring_batch_size_sum{iothub="ours",module_name="a"} 64.0
scoring_batch_size_sum{iothub="ours",module_name="b"} 6.0
scoring_batch_size_count{iothub="another",module_name="a"} 8.0
scoring_batch_size_count 8.0
scoring_batch_size_sum_created{iothub="ours"} 1.7e9
"""


def test_the_json_has_the_documented_keys(tmp_path: Path) -> None:
    SUMMARY.write(tmp_path / "s.json")
    assert list(json.loads((tmp_path / "s.json").read_bytes())) == [
        "sent",
        "upstream",
        "by_output",
        "errors",
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
        "unsent",
        "un_acked",
        "dropped",
        "out_of_order",
        "by_order",
        "crashes",
        "connects",
        "stop_code",
        "kills",
        "kills_under_way",
        "unanswered",
        "foreign",
    ]


def test_the_text_says_it_for_people() -> None:
    assert SUMMARY.text().splitlines() == [
        "sent        1,000, 1 refused as too large",
        "outputs     amlOutput 989, errors 1, 10 answered with NOTHING",
        "errors      RunError 1",
        "upstream    990",
        "lost        0, 2 duplicates, 3 restarts, 1 of them after a crash",
        "throughput  400 messages/s over 2.5 s",
        "latency     p50 1.0 ms, p99 9.0 ms",
        "mean batch  31.5",
    ]


def test_kills_are_said_with_what_they_met() -> None:
    text = replace(SUMMARY, kills=14, kills_under_way=9, restarts=15).text()
    assert "0, 2 duplicates, 14 kills, 9 with messages under way, 15 restarts, 1 of them after a crash\n" in text
    assert "wrong" not in text


def test_a_summary_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot write"):
        SUMMARY.write(tmp_path)


def test_latencies() -> None:
    assert latency_ms([]) == {"p50": None, "p99": None}
    assert latency_ms([0.002]) == {"p50": 2.0, "p99": 2.0}
    assert latency_ms([n / 1000 for n in range(200, 0, -1)]) == {"p50": 100.0, "p99": 198.0}


def test_only_counters_of_this_hub_are_summed() -> None:
    assert parse(PAGE, "ours") == {"scoring_batch_size_sum": 70.0, "scoring_batch_size_count": 2.0}
    assert parse(PAGE, "nobody's") == {}


@pytest.mark.parametrize("page", [b"", b"<html>", b"\xff{", b'scoring_batch_size_sum{iothub="ours"} many'])
def test_what_is_no_metrics_page_counts_nothing(page: bytes) -> None:
    assert parse(page, "ours") == {}


async def test_counters_are_summed_over_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = iter([PAGE, None, PAGE])
    monkeypatch.setattr("module.simulator.scrape._read", lambda _: next(pages))
    scraper = Scraper(9600, "ours")
    assert scraper.mean_batch is None
    await scraper.poll()
    await scraper.poll()
    assert scraper.mean_batch == 35.0
    scraper.new_life()
    await scraper.poll()
    assert scraper.mean_batch == 35.0
    pages = iter([PAGE.replace(b" 64.0", b" 94.0")])
    await scraper.poll()
    assert scraper.mean_batch == (70 + 100) / 4


async def test_a_module_without_a_port_is_not_asked() -> None:
    scraper = Scraper(0, "ours")
    await scraper.poll()
    assert scraper.mean_batch is None


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        ({"lost": 2}, "2 messages are lost"),
        ({"unsent": 2}, "2 messages were not sent"),
        ({"un_acked": 1}, "1 messages were not acked"),
        ({"connects": 0}, "COMMAND did not connect"),
        ({"unrouted": 1000}, "no message was routed"),
        ({"sent": 0}, "no message was routed"),
        ({"unanswered": 3}, "3 messages were acked and not answered when COMMAND ended"),
        ({"kills": 0}, "no kill met a message"),
        ({"kills": 8}, "no kill met a message"),
    ],
)
def test_what_is_not_accounted_for_is_said(count: dict[str, int], sentence: str) -> None:
    found = replace(SUMMARY, **count)  # type: ignore[arg-type]
    assert [each for each in found.troubles if each.startswith(sentence)]
    assert f"wrong       {sentence}" in found.text()


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        ({"lost": 2, "nothing": 0}, "what a module answers with nothing on purpose counts as lost"),
        ({"by_order": 7}, "7 messages have no id of their own"),
        ({"dropped": 7}, "7 outputs were dropped by the hub"),
        ({"foreign": 7}, "7 outputs belong to no message of this run"),
        ({"out_of_order": 7}, "7 messages were answered after one"),
        ({"stop_code": 137}, "COMMAND did not end within 10 s"),
        ({"stop_code": 1}, "COMMAND ended with 1 at SIGTERM"),
    ],
)
def test_what_a_good_count_may_hide_is_said(count: dict[str, int], sentence: str) -> None:
    assert not SUMMARY.troubles
    assert not SUMMARY.doubts
    assert f"note        {sentence}" in replace(SUMMARY, **count).text()  # type: ignore[arg-type]


def test_the_port_is_the_modules_own() -> None:
    assert (port_of({}), port_of({"SCORING_HTTP_PORT": "7"})) == (9600, 7)
    with pytest.raises(SettingsError, match="SCORING_HTTP_PORT x is not a port"):
        port_of({"SCORING_HTTP_PORT": "x"})
