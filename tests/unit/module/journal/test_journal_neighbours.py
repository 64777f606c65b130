"""The journal beside others: who may read it, who holds a lock, what an earlier or a later version left."""

import asyncio
import gc
import shutil
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, fill, numbered, offer

from module.errors import JournalDamagedError, JournalError, JournalLockedError
from module.journal.quarantine import quarantined

NAME = "journal.sqlite3"


async def test_nobody_else_reads_what_is_stored(open_journal: Open, tmp_path: Path) -> None:
    """Telemetry at rest: 0600 in 0700."""
    fill(open_journal(), range(3))
    directory = tmp_path / "journal"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()} == {0o600}


async def test_an_error_without_text_is_kept_too_and_the_attempt_is_known(open_journal: Open, tmp_path: Path) -> None:
    """RequestError() has none; what is left over is a second attempt."""
    journal = open_journal()
    fill(journal, range(2))
    first, second = await all_of(journal, 2)
    await journal.done([first.seq], {first.seq: ""})
    assert [each.seq for each in quarantined(tmp_path / "journal")] == [first.seq]
    await journal.release()
    assert [each.attempt for each in (second, *await all_of(open_journal(), 1))] == [1, 2]


async def test_a_lock_of_another_process_does_not_stop_the_loop(open_journal: Open, tmp_path: Path) -> None:
    """The message is refused at once, and held by the tap."""
    journal = open_journal()
    with sqlite3.connect(tmp_path / "journal" / NAME) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert offer(journal, numbered(1)) is Offer.FULL
        assert time.monotonic() - began < 1
    other.close()
    assert offer(journal, numbered(1)) is Offer.ACCEPTED


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
async def test_a_lock_at_the_start_costs_no_reserve_and_signals_are_heard(
    open_journal: Open, tmp_path: Path, how: str
) -> None:
    """It was waited for twice, 13.9 s in all, without a look at SIGTERM, and the reserve was gone."""
    await open_journal().release()
    heard: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(time.monotonic()))
    with closing(sqlite3.connect(tmp_path / "journal" / NAME, isolation_level=None)) as other:
        if how == "EXCLUSIVE":
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute(f"BEGIN {how}")
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
        began = time.monotonic()
        try:
            with pytest.raises(JournalLockedError, match="locked"):
                open_journal()
            took = time.monotonic() - began
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert 4 < took < 7
    assert max(after - one for one, after in pairwise(heard)) < 0.6
    assert (tmp_path / "journal" / "reserve").stat().st_size
    gc.collect()
    assert open_journal().waiting() == 0


async def test_a_lock_that_ends_is_waited_for(open_journal: Open, tmp_path: Path) -> None:
    """Such as that of somebody who drops the quarantine."""
    journal = open_journal()
    fill(journal, range(3))
    await journal.release()
    with closing(sqlite3.connect(tmp_path / "journal" / NAME, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(1, other.execute, ["ROLLBACK"])
        end.start()
        assert open_journal().waiting() == 3
        end.join()


async def test_a_newer_journal_is_refused_in_one_sentence(open_journal: Open, tmp_path: Path) -> None:
    """And left as it is."""
    await open_journal().release()
    with sqlite3.connect(tmp_path / "journal" / NAME) as other:
        other.execute("PRAGMA user_version = 9")
        other.execute("UPDATE facts SET value = '9' WHERE name = 'version'")
    other.close()
    with pytest.raises(JournalError, match="newer version") as caught:
        open_journal()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("waiting", [100, 20_000])
async def test_a_long_look_from_outside_does_not_fill_the_volume(
    open_journal: Open, tmp_path: Path, waiting: int
) -> None:
    """The log cannot begin anew while somebody reads it: what is appended waits then, and at last what is deleted too.

    Of 20,000 messages so many wait at a time; 50,000 took 674 MB when only appending had a bound.
    """
    journal, sent, answered = open_journal(), 0, 0
    log = tmp_path / "journal" / f"{NAME}-wal"

    def press() -> None:
        nonlocal sent
        while sent < 20_000 and journal.waiting() < waiting and offer(journal, numbered(sent)) is Offer.ACCEPTED:
            sent += 1

    async def answer() -> None:
        nonlocal answered
        while answered < 20_000:
            for each in await journal.take(16):
                answered += 1
                await journal.done([each.seq])
            press()

    press()
    answering = asyncio.create_task(answer())
    with closing(sqlite3.connect(tmp_path / "journal" / NAME, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM messages").fetchone()
        before = -1
        while before != (before := answered):
            await asyncio.sleep(1.5)
            press()
        assert log.stat().st_size < 140 << 20
        assert "another process holds on to it, such as an sqlite3 shell" in journal.trouble
        assert offer(journal, numbered(sent)) is Offer.FULL
    async with asyncio.timeout(60):
        while answered < 20_000:
            await asyncio.sleep(0.5)
            press()
        await answering
    assert (journal.trouble, journal.waiting()) == ("", 0)
    assert log.stat().st_size <= 8 << 20


async def test_a_deleted_directory_is_noticed(open_journal: Open, tmp_path: Path) -> None:
    """What is acked into a file without a name is lost with the process: 300 of 300 were accepted, without a word."""
    journal = open_journal()
    fill(journal, range(10))
    shutil.rmtree(tmp_path / "journal")
    offers = 10
    while offers < 1000 and offer(journal, numbered(offers)) is Offer.ACCEPTED:
        offers += 1
        await asyncio.sleep(0.002)  # the journal thread looks
    assert offers < 300
    assert "somebody has deleted its file" in journal.trouble
    for each in await all_of(journal, offers):
        await journal.done([each.seq])
    async with asyncio.timeout(5):
        with pytest.raises(JournalDamagedError, match="deleted"):
            await journal.take(1)
    await journal.release()
    fill(open_journal(), range(10))


async def test_a_directory_that_was_moved_away_for_a_while_is_used_again(open_journal: Open, tmp_path: Path) -> None:
    """What is there stays there, and whoever holds messages is asked again."""
    journal, room = open_journal(), asyncio.Event()
    fill(journal, range(3))
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    journal._upkeep.look()
    assert offer(journal, numbered(3)) is Offer.FULL
    (tmp_path / "elsewhere").rename(tmp_path / "journal")
    journal._commands.put(lambda: None)  # the thread sees what is wrong, and tries each second
    journal.on_room = lambda: journal._loop.call_soon_threadsafe(room.set)
    async with asyncio.timeout(5):
        await room.wait()
    fill(journal, range(3, 6))
    assert len(await all_of(journal, 6)) == 6
    assert journal.trouble == ""
