"""What a cut or torn file still has is saved: in order, under its own numbers."""

import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from journals import Open, all_of, fill, ids, killed

from module.journal import leaves

COUNT = 2000
NAME = "journal.sqlite3"


@pytest.fixture
async def closed(open_journal: Open, tmp_path: Path) -> Path:
    """Give a journal of 2,000 messages after a clean end."""
    journal = open_journal(tmp_path / "closed")
    fill(journal, range(COUNT), size=1000)
    await journal.release()
    return tmp_path / "closed"


@pytest.mark.parametrize(("share", "least"), [(0.99, 1900), (0.75, 1400), (0.5, 900), (0.3, 500)])
async def test_a_truncated_file_gives_what_it_has(open_journal: Open, closed: Path, share: float, least: int) -> None:
    """SQLite opens no file that is shorter than its first page says, unless it is told to: 0 of 2,000 were saved."""
    with (closed / NAME).open("r+b") as file:
        file.truncate(int((closed / NAME).stat().st_size * share))
    journal = open_journal(closed)
    assert journal.waiting() >= least
    assert journal.lost == COUNT - journal.waiting()
    taken = await all_of(journal, 20)
    assert ids(taken) == [each.seq - 1 for each in taken]


def _overwrite(path: Path, page: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: _overwrite(path, 0, b"\xab" * 4096),
        lambda path: _overwrite(path, 0, bytes(4096)),
        lambda path: path.write_bytes(path.read_bytes().replace(b"CREATE TABLE messages", b"CREATE TABLF messages")),
        lambda path: path.write_bytes(path.read_bytes().replace(b"CREATE TABLE recent", b"CREATE TABLE r\xf2cent")),
    ],
)
async def test_a_lost_first_page_is_written_anew(
    open_journal: Open, closed: Path, damage: Callable[[Path], object]
) -> None:
    """It says where the tables are, and that is the same in every journal."""
    damage(closed / NAME)
    journal = open_journal(closed)
    assert (journal.waiting(), journal.lost) == (COUNT, 0)
    assert ids(await all_of(journal, 20)) == list(range(20))


async def test_what_is_saved_with_a_wrong_checksum_is_never_given(open_journal: Open, closed: Path) -> None:
    """It is counted as lost."""
    with sqlite3.connect(closed / NAME) as connection:
        connection.execute("UPDATE messages SET message = replace(message, '00', '01') WHERE seq = 7")
        connection.execute("UPDATE messages SET message = (SELECT message FROM messages WHERE seq = 9) WHERE seq = 8")
    connection.close()
    with (closed / NAME).open("r+b") as file:
        file.truncate((closed / NAME).stat().st_size * 3 // 4)
    journal = open_journal(closed)
    assert [each.seq for each in await all_of(journal, 8)] == [1, 2, 3, 4, 5, 6, 9, 10]


async def test_a_process_that_is_told_of_damage_lets_the_next_one_save(open_journal: Open, tmp_path: Path) -> None:
    """Although a look at the pages finds nothing: else it would be told again, for ever."""
    journal = open_journal()
    fill(journal, range(5))
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    journal._failed("read", error)
    await journal.release()
    journal = open_journal()
    assert (tmp_path / "journal" / "damaged.sqlite3").exists()
    assert ids(await all_of(journal, 5)) == list(range(5))
    await journal.release()
    (tmp_path / "journal" / "damaged.sqlite3").unlink()
    open_journal()
    assert not (tmp_path / "journal" / "damaged.sqlite3").exists()


@pytest.mark.parametrize("size", [100, 3000, 30_000])
async def test_what_nothing_leads_to_is_found_in_its_pages(
    open_journal: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """Also what a killed process had only in its log, and what needs more than one page."""
    journal = open_journal(tmp_path / "running")
    fill(journal, range(300), size=size)
    journal._reader.execute("PRAGMA wal_checkpoint(PASSIVE)")
    fill(journal, range(300, 320), size=size)
    torn = killed(journal, tmp_path / "running", to=tmp_path / "torn")
    log = torn / f"{NAME}-wal"
    assert log.stat().st_size
    with closing(sqlite3.connect(torn / NAME)) as connection:  # carries the log into the file as it ends
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()
        connection.execute("SELECT count(*) FROM messages").fetchone()
    assert not log.exists()
    _overwrite(torn / NAME, root - 1, bytes(4096))
    saved = open_journal(torn)
    assert (saved.waiting(), saved.lost) == (320, 0)
    assert ids(await all_of(saved, 320)) == list(range(320))


async def test_a_large_damaged_file_does_not_fill_the_memory(closed: Path) -> None:
    """It is read page by page."""
    with (closed / NAME).open("r+b") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    found = sum(1 for _ in leaves.messages(closed / NAME))
    (_, most) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == COUNT
    assert most < 1 << 20
