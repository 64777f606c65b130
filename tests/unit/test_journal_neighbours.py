"""The journal beside others: who may read it, who holds a lock, what an earlier or a later version left."""

import sqlite3
import stat
import time
from pathlib import Path

import pytest
from journals import Open, all_of, fill, numbered

from module.errors import JournalError
from module.journal.quarantine import quarantined
from module.messages import Offer

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
        assert journal.offer(numbered(1)) is Offer.FULL
        assert time.monotonic() - began < 1
    other.close()
    assert journal.offer(numbered(1)) is Offer.ACCEPTED


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
