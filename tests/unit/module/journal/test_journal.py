"""The journal over several lives: what was accepted comes back, in order, until it is done."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, fill, ids, killed, numbered, offer

from module.errors import JournalError, JournalLockedError
from module.journal import Journal


async def test_what_is_left_comes_first_and_in_order(open_journal: Open) -> None:
    """A second life begins with the rest of the first, then what is new."""
    journal = open_journal()
    fill(journal, range(10))
    taken = await all_of(journal, 7)
    await journal.done([taken[0].seq, taken[1].seq, taken[4].seq])
    await journal.release()
    journal = open_journal()
    fill(journal, range(10, 12))
    assert ids(await all_of(journal, 9)) == [2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert journal.lost == 0


async def test_a_killed_process_leaves_everything(open_journal: Open, tmp_path: Path) -> None:
    """What is on disk at the moment of a kill is all that was accepted and not done."""
    journal = open_journal(tmp_path / "a")
    fill(journal, range(100))
    taken = await all_of(journal, 60)
    await journal.done([each.seq for each in taken[:50]])
    after = open_journal(killed(journal, tmp_path / "a", tmp_path / "b"))
    assert ids(await all_of(after, 50)) == list(range(50, 100))
    assert after.lost == 0


async def test_a_seq_is_never_given_twice(open_journal: Open, tmp_path: Path) -> None:
    """It names the answers to a message without an id: not after all were done, not after the file was lost."""
    journal = open_journal()
    fill(journal, range(5))
    await journal.done([each.seq for each in await all_of(journal, 5)])
    await journal.release()
    for name in ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"):
        (tmp_path / "journal" / name).unlink(missing_ok=True)
    journal = open_journal()
    fill(journal, range(5, 6))
    (again,) = await all_of(journal, 1)
    assert again.seq == 6
    assert journal.lost == 0  # nothing of it was waiting


async def test_a_journal_keeps_its_uuid(open_journal: Open) -> None:
    """An answer that is published again after a crash has the same id."""
    first = open_journal()
    await first.release()
    assert open_journal().uuid == first.uuid


async def test_offers_and_takes_interleave_without_a_gap_or_a_double(open_journal: Open) -> None:
    """Between the append and the moment when memory knows of it, a taker may look: neither twice nor never."""
    journal = open_journal()
    count = 20_000
    feeding = threading.Thread(target=fill, args=(journal, range(count)))
    feeding.start()
    async with asyncio.timeout(60):
        seen = ids(await all_of(journal, count))
    feeding.join()
    assert seen == list(range(count))


async def test_messages_beyond_memory_are_read_from_the_file(open_journal: Open) -> None:
    """More than memory holds, and larger than it may hold: all of them, in order."""
    journal = open_journal()
    fill(journal, range(3000))
    fill(journal, range(3000, 3200), size=100_000)
    assert sum(len(each.message.body) for each in journal._backlog._fresh) <= 17 << 20
    async with asyncio.timeout(30):
        assert ids(await all_of(journal, 3200)) == list(range(3200))


async def test_the_file_is_bounded_and_used_again(open_journal: Open, tmp_path: Path) -> None:
    """100,000 messages go through, at most 500 at a time: the file stays that of 500."""
    journal = open_journal()
    for start in range(0, 100_000, 500):
        fill(journal, range(start, start + 500))
        await journal.done([each.seq for each in await all_of(journal, 500)])
    size = sum(each.stat().st_size for each in (tmp_path / "journal").iterdir())
    assert size < 18 << 20, "the write-ahead log may keep 16 MiB"
    assert (tmp_path / "journal" / "journal.sqlite3").stat().st_size < 1 << 20
    assert journal.waiting() == 0


async def test_a_second_process_is_kept_out(open_journal: Open) -> None:
    """Exit code 4: another module has it."""
    open_journal()
    with pytest.raises(JournalLockedError, match="its own SCORING_JOURNAL_DIR") as caught:
        open_journal()
    assert caught.value.exit_code == 4


async def test_release_lets_the_next_one_in_whatever_is_still_called(open_journal: Open) -> None:
    """A batch that ends late, an offer and a done() after release() neither raise nor hang nor count as suspects."""
    journal = open_journal()
    fill(journal, range(3))
    taken = await all_of(journal, 3)
    journal.running([taken[0].seq])
    await journal.release()
    journal.running([taken[1].seq])
    assert offer(journal, numbered(9)) is Offer.FULL
    late = journal.done([taken[0].seq])
    await asyncio.wait([late], timeout=5)
    assert late.cancelled()
    assert await journal.take(1) == []
    assert not any(each.alone for each in await all_of(open_journal(), 3))


async def test_what_was_done_before_release_is_done(open_journal: Open) -> None:
    """release() waits for the deletions that were asked for."""
    journal = open_journal()
    fill(journal, range(500))
    forgotten = [journal.done([each.seq]) for each in await all_of(journal, 500)]
    await journal.release()
    assert all(each.done() or each.cancelled() for each in forgotten)
    assert open_journal().waiting() == 0


@pytest.mark.parametrize("place", ["a file/below", "a file"])
async def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path, place: str) -> None:
    """At start that ends the process with exit code 2."""
    (tmp_path / "a file").touch()
    with pytest.raises(JournalError, match="SCORING_JOURNAL_DIR") as caught:
        Journal(tmp_path / place)
    assert caught.value.exit_code == 2


async def test_the_clock_may_jump_back(open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """No order and no age depends on the time of day."""
    journal = open_journal()
    fill(journal, range(3))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    fill(journal, range(3, 6))
    journal.connected()
    assert offer(journal, numbered(5), maybe_again=True) is Offer.DUPLICATE
    taken = await all_of(journal, 6)
    assert ids(taken) == list(range(6))
    await journal.done([each.seq for each in taken], {taken[0].seq: "bad"})
    assert journal.waiting() == 0
