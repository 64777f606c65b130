"""The quarantine: bounded, listed, put back, dropped."""

import asyncio
from pathlib import Path

import pytest
from journals import Open, all_of, fill, ids

from module.errors import JournalError
from module.journal import finished
from module.journal import journal as journal_file
from module.journal.quarantine import drop, quarantined, replay
from scoring import RequestError


async def test_what_could_not_be_scored_is_kept_with_its_reason(open_journal: Open, tmp_path: Path) -> None:
    """As it came; what could be scored is gone."""
    journal = open_journal()
    fill(journal, range(4))
    taken = await all_of(journal, 4)
    await journal.done([each.seq for each in taken], {taken[1].seq: "x is missing"})
    (kept,) = quarantined(tmp_path / "journal")
    assert (kept.seq, kept.reason, kept.message) == (taken[1].seq, "x is missing", taken[1].message)
    assert kept.at[:2] == "20"


async def test_it_keeps_the_newest_in_number_and_in_bytes(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that alone is larger than the bound."""
    monkeypatch.setattr(finished, "MOST_QUARANTINED_BYTES", 10_000)
    journal = open_journal(max_quarantined=5)
    fill(journal, range(20))
    fill(journal, range(20, 26), size=4000)
    fill(journal, range(26, 27), size=50_000)
    taken = await all_of(journal, 27)
    kept = []
    for each in taken:
        await journal.done([each.seq], {each.seq: "bad"})
        kept.append([entry.seq for entry in quarantined(tmp_path / "journal")])
    assert kept[19] == [16, 17, 18, 19, 20]
    assert kept[25] == [25, 26]
    assert kept[26] == [27]


async def test_replay_puts_back_beside_a_running_module(open_journal: Open, tmp_path: Path) -> None:
    """They come with the next message that arrives, in order, with new numbers; the others stay."""
    journal = open_journal()
    fill(journal, range(4))
    taken = await all_of(journal, 4)
    await journal.done([each.seq for each in taken], {each.seq: "bad" for each in taken})
    assert replay(tmp_path / "journal", [taken[1].seq, taken[2].seq]) == {2, 3}
    assert [entry.seq for entry in quarantined(tmp_path / "journal")] == [1, 4]
    fill(journal, range(4, 5))
    async with asyncio.timeout(5):
        again = await all_of(journal, 3)
    assert ids(again) == [1, 2, 4]
    assert [each.seq for each in again] == [5, 6, 7]
    await journal.done([each.seq for each in again])
    assert journal.waiting() == 0
    assert replay(tmp_path / "journal") == {1, 4}
    await journal.release()
    assert ids(await all_of(open_journal(), 2)) == [0, 3]


async def test_what_is_put_back_beside_an_idle_module_needs_no_other_message(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would know why nothing happens."""
    monkeypatch.setattr(journal_file, "_IDLE", 0.1)
    journal = open_journal()
    fill(journal, range(2))
    taken = await all_of(journal, 2)
    await journal.done([each.seq for each in taken], {each.seq: "bad" for each in taken})
    assert replay(tmp_path / "journal") == {1, 2}
    async with asyncio.timeout(5):
        again = await all_of(journal, 2)
    assert (ids(again), [each.seq for each in again], journal.waiting()) == ([0, 1], [3, 4], 2)
    fill(journal, range(2, 3))
    async with asyncio.timeout(5):
        (new,) = await all_of(journal, 1)
    assert new.seq == 5
    await journal.done([3, 4, 5])
    assert journal.waiting() == 0


async def test_drop(open_journal: Open, tmp_path: Path) -> None:
    """Some, or all."""
    journal = open_journal()
    fill(journal, range(4))
    taken = await all_of(journal, 4)
    await journal.done([each.seq for each in taken], {each.seq: "bad" for each in taken})
    assert drop(tmp_path / "journal", [2, 99]) == {2}
    assert drop(tmp_path / "journal") == {1, 3, 4}
    assert list(quarantined(tmp_path / "journal")) == []


def test_without_a_journal_it_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is created by looking."""
    for act in (lambda path: list(quarantined(path)), replay, drop):
        with pytest.raises(JournalError, match="there is no journal in"):
            act(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_reason_that_no_file_can_hold_holds_up_nothing(open_journal: Open, tmp_path: Path) -> None:
    """A script may raise with half a surrogate pair in its text: what is done is deleted all the same."""
    assert str(RequestError("a name with \ud800 in it")) == "a name with \\ud800 in it"
    journal = open_journal()
    fill(journal, range(2))
    first, second = await all_of(journal, 2)
    async with asyncio.timeout(5):
        await journal.done([first.seq, second.seq], {first.seq: "a reason with \ud800 in it", second.seq: "x" * 10**6})
    assert journal.waiting() == 0
    assert [kept.reason[-15:] for kept in quarantined(tmp_path / "journal")] == ["with \\ud800 in it"[-15:], "x" * 15]
