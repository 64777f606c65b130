"""Flipped bits anywhere in the journal's files: nothing altered is handed out, nothing stalls, nobody is blamed."""

import asyncio
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, killed, numbered, offer

from module.errors import JournalDamagedError, JournalError
from module.journal import Journal
from module.journal.quarantine import quarantined

COUNT = 300
NAME = "journal.sqlite3"
SEED = 10


def body(number: int) -> bytes:
    """Give what message N carries: some have pages of their own."""
    return b"%0*d" % (9000 if number % 10 == 0 else 300, number)


async def written(journal: Journal) -> None:
    """Write messages, of which some are done, and some could not be scored."""
    for number in range(COUNT):
        assert offer(journal, numbered(number, body(number))) is Offer.ACCEPTED
    taken = await all_of(journal, COUNT)
    bad = {each.seq: "bad" for each in taken[::7]}
    await journal.done([each.seq for each in taken[: COUNT // 3]], {k: v for k, v in bad.items() if k <= COUNT // 3})


@pytest.fixture
async def closed(open_journal: Open, tmp_path: Path) -> Path:
    """Give a journal after a clean end: everything is in the main file."""
    journal = open_journal(tmp_path / "closed")
    await written(journal)
    await journal.release()
    return tmp_path / "closed"


@pytest.fixture
async def left(open_journal: Open, tmp_path: Path) -> Path:
    """Give what a killed process left: much of it is in the log."""
    journal = open_journal(tmp_path / "open")
    await written(journal)
    journal._reader.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    for number in range(COUNT, COUNT + 50):
        assert offer(journal, numbered(number, body(number))) is Offer.ACCEPTED
    return killed(journal, tmp_path / "open", tmp_path / "left")


def flip(path: Path, random_: random.Random, bits: int) -> None:
    """Flip bits of a file, half of them near its beginning, where the important pages are."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        for _ in range(bits):
            at = random_.randrange(min(size, random_.choice((40_000, size))))
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes((byte ^ 1 << random_.randrange(8),)))


async def lives_on(directory: Path) -> int:
    """Open, take everything, say done, take new messages; start again when told to. Gives how many were damaged."""
    for _ in range(3):
        journal = Journal(directory)
        try:
            async with asyncio.timeout(20):
                await everything(journal)
            return journal.lost
        except JournalDamagedError:
            continue
        finally:
            await journal.release()
    raise AssertionError("the third start finds it damaged again")


async def everything(journal: Journal) -> None:
    seqs: list[int] = []
    for number in range(COUNT + 50, COUNT + 53):
        if offer(journal, numbered(number, body(number))) is not Offer.ACCEPTED:
            await journal.take(1)  # says so if the file is damaged
    while journal.waiting():
        if not journal._backlog.unread() and not journal._backlog._fresh:
            await asyncio.sleep(0.01)  # what is damaged is on its way into the quarantine
            await journal.done([])
            continue
        taken = await journal.take(64)
        for each in taken:
            assert each.message.body == body(int(each.message.system["message_id"][1:])), "altered"
            assert not each.condemned, "a good message is blamed"
        seqs += [each.seq for each in taken]
        await asyncio.wait([journal.done([each.seq for each in taken])], timeout=5)
        if journal.trouble:
            await journal.take(1)
    assert seqs == sorted(set(seqs)), "out of order, or twice"


@pytest.mark.parametrize("part", ["closed", "main", "log", "note", "all"])
async def test_flipped_bits_neither_alter_nor_stall(closed: Path, left: Path, tmp_path: Path, part: str) -> None:
    """Sixty rounds each; what is found to be damaged is counted."""
    source = closed if part == "closed" else left
    files = {"closed": [NAME], "main": [NAME], "log": [f"{NAME}-wal"], "note": ["note"]}
    random_ = random.Random(f"{SEED} {part}")
    lost = 0
    for turn in range(60):
        directory = killed(None, source, tmp_path / "turn")  # type: ignore[arg-type]
        for name in files.get(part, [NAME, f"{NAME}-wal", "note"]):
            flip(directory / name, random_, random_.choice((1, 2, 8, 64)))
        try:
            lost += await lives_on(directory)
            with suppress(JournalError):  # one sentence, if it is damaged there
                kept = [each.message for each in quarantined(directory) if each.message]
                assert all(each.body == body(int(each.system["message_id"][1:])) for each in kept)
        except BaseException as error:
            error.add_note(f"seed {SEED}, {part}, turn {turn}")
            raise
        shutil.rmtree(directory)
    assert lost or part == "note"
