"""Damage: what can be read is saved, the rest is counted, and the module starts."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, fill, ids, killed, offer

from module.errors import JournalError
from module.journal import Journal
from module.journal import database as journal_file
from module.messages import Accepted

COUNT = 400
NAME = "journal.sqlite3"


@pytest.fixture
async def left(open_journal: Open, tmp_path: Path) -> Path:
    """Give what a killed process left: 400 messages of 1 kB, half of them moved from the log to the main file."""
    journal = open_journal(tmp_path / "first")
    fill(journal, range(COUNT // 2), size=1000)
    journal._reader.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    fill(journal, range(COUNT // 2, COUNT), size=1000)
    return killed(journal, tmp_path / "first", tmp_path / "left")


async def everything(journal: Journal) -> list[Accepted]:
    """Take all that can be read."""
    taken: list[Accepted] = []
    while journal._backlog.unread() or journal._backlog._fresh:
        taken += await journal.take(64)
    return taken


def _truncate(directory: Path) -> None:
    with (directory / NAME).open("r+b") as file:
        file.truncate(60_000)


def _garbage(directory: Path) -> None:
    (directory / NAME).write_bytes(random.Random(1).randbytes(200_000))


def _page(directory: Path) -> None:
    for suffix in ("", "-wal"):  # pages of the main file that have no newer version in the log
        path = directory / f"{NAME}{suffix}"
        if suffix:
            path.unlink()
            (directory / f"{NAME}-shm").unlink()
        else:
            with path.open("r+b") as file:
                file.seek(20 * 4096)
                file.write(b"\xab" * 8192)


def _short_log(directory: Path) -> None:
    path = directory / f"{NAME}-wal"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _damaged_log(directory: Path) -> None:
    path = directory / f"{NAME}-wal"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xab" * 4096)


def _no_file(directory: Path) -> None:
    for path in directory.glob(f"{NAME}*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "least"),
    [(_truncate, 20), (_garbage, 0), (_page, 150), (_short_log, 250), (_damaged_log, 295), (_no_file, 0)],
)
async def test_what_can_be_read_is_saved_and_the_rest_is_counted(
    open_journal: Open, left: Path, damage: Callable[[Path], None], least: int
) -> None:
    """Saved and lost add up to what was accepted; the order stays; new messages follow, with new numbers."""
    damage(left)
    journal = open_journal(left)
    fill(journal, range(COUNT, COUNT + 1))
    taken = await everything(journal)
    assert least <= len(taken) - 1 <= COUNT
    assert len(taken) - 1 + journal.lost == COUNT
    assert ids(taken) == sorted(ids(taken))
    assert all(each.message.body == b"%01000d" % n for each, n in zip(taken[:-1], ids(taken), strict=False))
    assert taken[-1].seq > COUNT


@pytest.mark.parametrize("offset", [0, 15, 16, 18, 19, 20, 21, 44, 47, 52, 56, 59])
async def test_a_damaged_header_costs_nothing(open_journal: Open, left: Path, offset: int) -> None:
    """The pages behind it are all there."""
    with (left / NAME).open("r+b") as file:
        file.seek(offset)
        file.write(b"\xab")
    journal = open_journal(left)
    assert (journal.lost, ids(await all_of(journal, COUNT))) == (0, list(range(COUNT)))


async def test_what_was_undone_with_the_log_does_not_hide_the_loss(open_journal: Open, tmp_path: Path) -> None:
    """A lost log brings back messages that were done and takes new ones away: as many messages, but others."""
    journal = open_journal(tmp_path / "first")
    fill(journal, range(100))
    journal._reader.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    await journal.done([each.seq for each in await all_of(journal, 100)])
    fill(journal, range(100, 160))
    left = killed(journal, tmp_path / "first", tmp_path / "left")
    for suffix in ("-wal", "-shm"):
        (left / f"{NAME}{suffix}").unlink()
    journal = open_journal(left)
    assert (journal.waiting(), journal.lost) == (100, 60)


async def test_the_loss_is_logged_with_its_number(
    open_journal: Open, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And where the damaged file is kept."""
    _garbage(left)
    journal = open_journal(left)
    assert f"{journal.lost} messages of the journal are lost" in caplog.text
    assert "damaged.sqlite3" in caplog.text
    assert (left / "damaged.sqlite3").exists()


async def test_a_damaged_journal_keeps_its_identity_and_its_memory(open_journal: Open, left: Path) -> None:
    """uuid, suspects, quarantine and what a redelivery is known by are saved too."""
    before = open_journal(left)
    fill(before, range(COUNT, COUNT + 5))
    taken = await all_of(before, COUNT + 5)
    await before.done([taken[0].seq], {taken[0].seq: "it is bad"})
    await before.release()
    with (left / NAME).open("r+b") as file:
        file.seek(30 * 4096)
        file.write(b"\xab" * 4096)
    after = open_journal(left)
    assert after.uuid == before.uuid
    assert after.lost > 0
    assert after._reader.execute("SELECT reason FROM quarantine").fetchall() == [("it is bad",)]
    after.connected()
    assert offer(after, taken[-1].message, maybe_again=True) is Offer.DUPLICATE


@pytest.mark.parametrize("moment", range(4))
async def test_a_death_in_the_middle_of_saving_loses_nothing(open_journal: Open, left: Path, moment: int) -> None:
    """At each step of the move, another start finds either the damaged file or the saved one."""
    with (left / NAME).open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xab" * 4096)
    twin = killed(None, left, left.with_name("twin"))  # type: ignore[arg-type]
    expected = open_journal(twin).waiting()
    # As salvage.save() leaves it: complete under another name, then the old one moved piece by piece.
    done = open_journal(killed(None, left, left.with_name("source")))  # type: ignore[arg-type]
    await done.release()
    if moment == 0:
        (left / "saving.sqlite3").write_bytes(b"half a file")
    else:
        (left / "saved.sqlite3").write_bytes((left.with_name("source") / NAME).read_bytes())
        for suffix in ("-shm", "-wal", "")[: moment - 1]:
            (left / f"{NAME}{suffix}").replace(left / f"damaged.sqlite3{suffix}")
    journal = open_journal(left)
    assert journal.waiting() == expected
    assert ids(await all_of(journal, expected))[-1] == COUNT - 1


async def test_any_damaged_bytes_and_the_journal_opens(open_journal: Open, left: Path, tmp_path: Path) -> None:
    """Bytes anywhere in the file or the log: it starts, gives what it has in order, and takes new messages."""
    random_ = random.Random(3)
    for turn in range(40):
        directory = killed(None, left, tmp_path / f"turn{turn}")  # type: ignore[arg-type]
        for _ in range(random_.randint(1, 4)):
            path = directory / random_.choice((NAME, f"{NAME}-wal", "note"))
            with path.open("r+b") as file:
                file.seek(random_.choice((random_.randrange(100), random_.randrange(path.stat().st_size))))
                file.write(random_.randbytes(random_.choice((1, 16, 5000))))
        journal = Journal(directory)
        assert journal.waiting() <= COUNT
        fill(journal, range(COUNT, COUNT + 2))
        undecodable = journal.waiting()
        seen = await everything(journal)
        assert len(seen) + journal.lost >= undecodable
        assert ids(seen)[-2:] == [COUNT, COUNT + 1]
        await journal.release()


async def test_a_record_that_is_no_message_goes_to_the_quarantine(open_journal: Open, tmp_path: Path) -> None:
    """SQLite has no checksums: a page may fit and its content be wrong. It must not stop what comes after it."""
    journal = open_journal()
    fill(journal, range(3))
    await journal.release()
    with sqlite3.connect(tmp_path / "journal" / NAME) as connection:
        connection.execute("UPDATE messages SET message = x'c1c1' WHERE seq = 2")
    connection.close()
    journal = open_journal()
    assert ids(await all_of(journal, 2)) == [0, 2]
    assert journal.lost == 1
    while journal.waiting() > 2:
        await journal.done([])
    assert journal._reader.execute("SELECT seq FROM quarantine").fetchall() == [(2,)]


async def test_damage_while_running_ends_the_process_instead_of_waiting_for_ever(open_journal: Open) -> None:
    """Only a new start saves what can be read."""
    journal = open_journal()
    fill(journal, range(10))
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert journal_file.says(error, journal_file.DAMAGE)
    journal._failed("read", error)
    with pytest.raises(JournalError, match="next start"):
        await journal.take(1)
    assert "malformed" in journal.trouble
