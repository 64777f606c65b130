"""One wrong bit in the log: SQLite ignores all that lies behind it, and deletes it as it closes. It comes back."""

import errno
import os
import random
import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from journals import Open, all_of, fill, ids, killed, numbered

from module.journal import Journal
from module.messages import InputMessage

NAME = "journal.sqlite3"
LOG = f"{NAME}-wal"
SEEDS = range(24)


def body(number: int) -> bytes:
    """Give what message N carries: some have pages of their own."""
    return b"%0*d" % (9000 if number % 20 == 0 else 100, number)


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Flip one bit."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes((byte ^ 1 << bit,)))


async def given(journal: Journal) -> list[int]:
    """Take all that can be read, see that none is altered; give their numbers."""
    numbers: list[int] = []
    while len(numbers) < journal.waiting():
        taken = await journal.take(100)
        assert all(each.message.body == body(int(each.message.system["message_id"][1:])) for each in taken), "altered"
        numbers += ids(taken)
    return numbers


def backlog(journal: Journal, numbers: range, together: int) -> None:
    """Append messages, so many in one transaction."""
    for at in range(numbers.start, numbers.stop, together):
        part = range(at, min(at + together, numbers.stop))
        journal.offer([numbered(number, body(number)) for number in part])


@pytest.mark.parametrize(("count", "together"), [(200, 1), (200, 20), (2000, 20)])
async def test_one_wrong_bit_costs_what_lies_in_its_page(
    open_journal: Open, tmp_path: Path, count: int, together: int
) -> None:
    """Of 200 and of 2,000 acked messages 0 were answered when the bit was in an early page."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(count), together)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    size = (left / LOG).stat().st_size
    for seed in SEEDS:
        random_ = random.Random(seed)
        turn = killed(journal, left, tmp_path / f"turn{seed}")
        flip(turn / LOG, random_.randrange(random_.choice((size, 32 + 4 * 4120))), random_.randrange(8))
        torn = open_journal(turn)
        found = await given(torn)
        assert len(found) >= count - (1 if together == 1 else together), f"seed {seed}"
        assert len(found) + torn.lost == count
        assert found == sorted(set(found))
        await torn.release()
        shutil.rmtree(turn)


@pytest.mark.parametrize("at", [0, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45, 49, 53, 57, 1000])
async def test_a_wrong_bit_in_the_header_or_in_the_first_frame_costs_nothing(
    open_journal: Open, tmp_path: Path, at: int
) -> None:
    """Numbers that only SQLite needs; the page is there a second time."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(200), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, at)
    torn = open_journal(left)
    assert (await given(torn), torn.lost) == (list(range(200)), 0)
    assert (left / "damaged-wal").stat().st_size == (tmp_path / "running" / LOG).stat().st_size
    await torn.release()
    assert open_journal(left).waiting() == 200


async def test_what_is_done_does_not_come_again(open_journal: Open, tmp_path: Path) -> None:
    """In order, as messages are finished: those that waited are the last ones."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(300), 1)
    await journal.done([each.seq for each in await all_of(journal, 200)])
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, 500)
    torn = open_journal(left)
    assert (await given(torn), torn.lost) == (list(range(200, 300)), 0)


@pytest.mark.parametrize("has_id", [True, False])
async def test_what_is_done_does_not_hide_a_loss(open_journal: Open, tmp_path: Path, has_id: bool) -> None:
    """One message is damaged wherever it is: it counts as lost, and none that was done comes in its place."""
    journal = open_journal(tmp_path / "running")
    for number in range(300):
        message = numbered(number, body(number))
        journal.offer([message if has_id else InputMessage(message.body, message.input)])
    await journal.done([each.seq for each in await all_of(journal, 200)])
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    content = (left / LOG).read_bytes()
    (left / LOG).write_bytes(content.replace(body(250), b"1" + body(250)[1:]))
    flip(left / LOG, 500)
    torn = open_journal(left)
    taken = [each.seq - 1 for each in await all_of(torn, torn.waiting())]
    assert (taken, torn.lost) == ([*range(200, 250), *range(251, 300)], 1)


async def test_a_log_from_before_is_not_searched(open_journal: Open, tmp_path: Path) -> None:
    """Behind the frames of now lie those from before the log began anew: their messages are done."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(300), 1)
    await journal.done([each.seq for each in await all_of(journal, 300)])
    journal._reader.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    backlog(journal, range(300, 310), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, 500)
    torn = open_journal(left)
    found = await given(torn)
    assert (found, torn.lost) == (list(range(300, 310)), 0)


@pytest.mark.parametrize("is_carried", [False, True])
async def test_a_log_that_was_carried_in_part(open_journal: Open, tmp_path: Path, is_carried: bool) -> None:
    """Old pages of the log may hide newer ones of the file: then messages that are done may come again."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(300), 1)
    if is_carried:
        journal._reader.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    await journal.done([each.seq for each in await all_of(journal, 100)])
    backlog(journal, range(300, 320), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    size = (left / LOG).stat().st_size
    for seed in SEEDS:
        turn = killed(journal, left, tmp_path / f"turn{seed}")
        flip(turn / LOG, random.Random(seed).randrange(size))
        torn = open_journal(turn)
        found = await given(torn)
        assert len(set(range(100, 320)) - set(found)) <= 1, f"seed {seed}"
        await torn.release()


async def test_a_death_while_it_is_searched_loses_nothing(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log keeps a second name until everything is put back."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(200), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, 500)
    with monkeypatch.context() as patch:
        patch.setattr("module.journal.torn_log.put_back", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_journal(left)
    after = killed(journal, left, tmp_path / "after")
    assert await given(open_journal(after)) == list(range(200))


async def test_a_file_system_without_hard_links_has_it_copied(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as vfat."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(200), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, 500)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert await given(open_journal(left)) == list(range(200))


async def test_a_shell_beside_it_does_not_keep_it_from_being_searched(open_journal: Open, tmp_path: Path) -> None:
    """SQLite does not delete the log then, and writes over it."""
    journal = open_journal(tmp_path / "running")
    backlog(journal, range(200), 1)
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    flip(left / LOG, 500)
    with closing(sqlite3.connect(left / NAME)) as shell:
        shell.execute("SELECT count(*) FROM messages").fetchone()
        assert await given(open_journal(left)) == list(range(200))


async def test_a_long_log_does_not_fill_the_memory(open_journal: Open, tmp_path: Path) -> None:
    """20,000 messages, in one log that nothing was carried from; their sizes alone take 2 MB."""
    journal = open_journal(tmp_path / "running")
    journal._appender.execute("PRAGMA wal_autocheckpoint = 0")
    for at in range(0, 20_000, 100):
        journal.offer([numbered(n, b"%0400d" % n) for n in range(at, at + 100)])
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    assert (left / LOG).stat().st_size > 8 << 20
    flip(left / LOG, 500)
    tracemalloc.start()
    torn = open_journal(left)
    (_, most) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (torn.waiting(), torn.lost) == (20_000, 0)
    assert most < 12 << 20


async def test_a_whole_log_leaves_nothing_behind(open_journal: Open, tmp_path: Path) -> None:
    """Its second name goes when nothing is missing."""
    journal = open_journal(tmp_path / "running")
    fill(journal, range(200))
    left = killed(journal, tmp_path / "running", tmp_path / "left")
    assert open_journal(left).waiting() == 200
    assert {each.name for each in left.iterdir()} == {
        *(NAME, LOG, f"{NAME}-shm"),
        *("note", "lock", "reserve", "crash.txt"),
    }
