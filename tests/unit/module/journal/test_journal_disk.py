"""A disk that is full or read-only: nothing is acked, nothing is lost, and it goes on by itself when there is space."""

import asyncio
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, fill, ids, numbered, offer

from module.errors import JournalError
from module.journal import Journal


@dataclass
class Disk:
    """A directory on a disk that can be made full."""

    directory: Path
    exhaust: Callable[[], None]
    free: Callable[[], None]


def mount(directory: Path, option: str) -> None:
    """Mount a file system of its own."""
    command = ["mount", "-t", "tmpfs", "-o", option, "journal", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")


def unmount(directory: Path) -> None:
    """Undo it."""
    subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.fixture(params=["tmpfs", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Give a small file system of its own, or a process that may write no larger files."""
    if request.param == "limit":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        yield Disk(
            tmp_path / "journal",
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1])),
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before),
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    mount(tmp_path, "size=16m")
    filler = tmp_path / "filler"

    def exhaust() -> None:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    yield Disk(tmp_path / "journal", exhaust, filler.unlink)
    unmount(tmp_path)


async def test_a_full_disk_stops_accepting_until_there_is_space(
    disk: Disk, open_journal: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused, never raised; one log line; what was accepted before can still be read; then it goes on."""
    journal = open_journal(disk.directory)
    room = asyncio.Event()
    journal.on_room = lambda: journal._loop.call_soon_threadsafe(room.set)
    fill(journal, range(10))
    disk.exhaust()
    accepted = 10
    while offer(journal, numbered(accepted, b"%01000d" % accepted)) is Offer.ACCEPTED:
        accepted += 1
    assert [offer(journal, numbered(n)) for n in range(1000, 1020)] == [Offer.FULL] * 20
    assert "cannot be written" in journal.trouble
    assert len([record for record in caplog.records if "nothing is acked" in record.message]) == 1
    assert ids(await all_of(journal, accepted)) == list(range(accepted))
    disk.free()
    room.clear()
    async with asyncio.timeout(5):
        await room.wait()  # whoever holds messages is asked again, every second
    fill(journal, range(accepted, accepted + 10))
    assert journal.trouble == ""
    assert "can be written again" in caplog.text
    await journal.release()
    assert ids(await all_of(open_journal(disk.directory), accepted + 10)) == list(range(accepted + 10))


async def test_a_group_that_does_not_fit_is_refused_whole(disk: Disk, open_journal: Open) -> None:
    """Not one of it may be acked, nor be there after a start; later it comes in order, each once."""
    journal = open_journal(disk.directory)
    fill(journal, range(3))
    disk.exhaust()
    group = [numbered(n, b"%010000d" % n) for n in range(3, 33)]
    assert journal.offer(group) == 0
    assert (journal.waiting(), journal._reader.execute("SELECT count(*) FROM messages").fetchone()) == (3, (3,))
    disk.free()
    assert journal.offer(group) == 30
    assert ids(await all_of(journal, 33)) == list(range(33))
    await journal.release()
    assert ids(await all_of(open_journal(disk.directory), 33)) == list(range(33))


async def test_what_is_done_while_the_disk_is_full_is_done_later(disk: Disk, open_journal: Open) -> None:
    """The deletions wait, in order, and trouble ends when they succeed: also if no further message comes."""
    journal = open_journal(disk.directory)
    fill(journal, range(50), size=1000)
    taken = await all_of(journal, 50)
    disk.exhaust()
    while offer(journal, numbered(0, bytes(100))) is Offer.ACCEPTED:
        pass
    forgotten = [journal.done([each.seq], {each.seq: "kept"} if each is taken[0] else None) for each in taken]
    await asyncio.sleep(0.1)
    disk.free()
    async with asyncio.timeout(10):
        await asyncio.gather(*forgotten)
    assert offer(journal, numbered(99)) is Offer.ACCEPTED
    assert journal.trouble == ""


async def test_a_deletion_that_fails_once_is_tried_again(open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although nothing else ever wakes the journal thread, and although appending works all the time."""
    journal = open_journal()
    fill(journal, range(2))
    taken = await all_of(journal, 2)
    journal._reader.execute("PRAGMA query_only = ON")
    forgotten = journal.done([taken[0].seq])
    await asyncio.sleep(0.05)
    assert "cannot be shortened" in journal.trouble
    fill(journal, range(2, 3))
    journal._commands.put(lambda: journal._reader.execute("PRAGMA query_only = OFF"))
    async with asyncio.timeout(5):
        await asyncio.gather(forgotten, journal.done([taken[1].seq]))
    assert (journal.trouble, journal.waiting()) == ("", 1)
    assert journal._crash_record._count - journal._crash_record._finished == 1, "a loss is counted from this"


async def test_a_read_that_fails_once_is_tried_again(open_journal: Open) -> None:
    """A taker that waits for messages in the file gets them although no new one arrives."""
    journal = open_journal()
    fill(journal, range(3000))
    await all_of(journal, 1024)
    journal._reader.execute("ALTER TABLE messages RENAME TO elsewhere")
    waiting = asyncio.create_task(journal.take(1))
    await asyncio.sleep(0.05)
    assert "cannot be read" in journal.trouble
    journal._commands.put(lambda: journal._reader.execute("ALTER TABLE elsewhere RENAME TO messages"))
    async with asyncio.timeout(5):
        assert ids(await waiting) == [1024]
    assert journal.trouble == ""


@pytest.mark.parametrize("option", ["ro", "size=4k"])
async def test_a_directory_that_cannot_be_written_at_start_is_one_sentence(tmp_path: Path, option: str) -> None:
    """Exit code 2: read-only, or no space at all."""
    mount(tmp_path, option)
    try:
        with pytest.raises(JournalError, match="SCORING_JOURNAL_DIR") as caught:
            Journal(tmp_path / "journal")
        assert caught.value.exit_code == 2
    finally:
        unmount(tmp_path)


async def test_what_has_the_name_of_the_reserve_and_is_none_does_no_harm(open_journal: Open, tmp_path: Path) -> None:
    """It is nothing that could be given up."""
    (tmp_path / "journal" / "reserve" / "something").mkdir(parents=True)
    journal = open_journal()
    fill(journal, range(10))
    assert not journal._volume.give_up_reserve()
    assert ids(await all_of(journal, 10)) == list(range(10))
