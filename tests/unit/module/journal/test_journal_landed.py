"""A journal of the version before this one: nothing of it is lost, and it goes on as one of this version."""

import sqlite3
import tarfile
from pathlib import Path

import pytest
from journals import Offer, Open, all_of, offer
from journals_landed.make import message

from module.journal import database
from module.journal.quarantine import quarantined, replay
from module.messages import Accepted

LEFT = [11, 12, *range(15, 46)]


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    """Give what version 0 left behind."""
    with tarfile.open(Path(__file__).parent / "journals_landed" / "version_0.tar.gz") as archive:
        archive.extractall(tmp_path / "journal")
    return tmp_path / "journal"


def is_whole(taken: list[Accepted]) -> bool:
    """Say whether each message is what was accepted under its number then."""
    return all(each.message == message(each.seq) for each in taken)


async def test_all_that_was_left_comes_in_order(open_journal: Open, landed: Path) -> None:
    """What waited, what was given up, and the message that was alone when a process crashed."""
    journal = open_journal(landed)
    taken = await all_of(journal, len(LEFT))
    assert ([each.seq for each in taken], journal.lost, journal.waiting()) == (LEFT, 0, len(LEFT))
    assert is_whole(taken)
    assert [each.seq for each in taken if each.alone] == [11]
    assert journal._suspects._deaths == {11: 7}
    found = list(quarantined(landed))
    assert [(each.seq, each.reason) for each in found] == [
        (2, "it raised ValueError"),
        (3, "it raised KeyError: 'ü'"),
        (14, "late"),
    ]
    assert [each.message for each in found] == [message(each.seq) for each in found]


async def test_what_comes_again_is_known_across_the_versions(open_journal: Open, landed: Path) -> None:
    """Waiting or done, and in the order of its first time; a message without an id is a new one."""
    journal = open_journal(landed)
    journal.connected()
    offers = [offer(journal, message(number), maybe_again=True) for number in (13, 15, 16, 44)]
    assert offers == [Offer.DUPLICATE, Offer.ACCEPTED, Offer.DUPLICATE, Offer.DUPLICATE]
    assert offer(journal, message(46)) is Offer.ACCEPTED
    assert [each.seq for each in await all_of(journal, len(LEFT) + 2)] == [*LEFT, 46, 47]


async def test_it_goes_on_as_this_version_and_survives_a_restart(open_journal: Open, landed: Path) -> None:
    """Old records and new ones side by side, also those that were given up and put back."""
    journal = open_journal(landed)
    uuid = journal.uuid
    assert offer(journal, message(46)) is Offer.ACCEPTED
    taken = await all_of(journal, len(LEFT) + 1)
    await journal.done(range(11, 31), {20: "old"})
    await journal.done([46], {46: "new"})
    await journal.release()
    assert [each.seq for each in quarantined(landed)] == [2, 3, 14, 20, 46]
    assert replay(landed, [14, 46]) == {14, 46}
    again = open_journal(landed)
    assert (again.uuid, again.lost) == (uuid, 0)
    left = await all_of(again, 17)
    assert [each.seq for each in left] == [*range(31, 46), 47, 48]
    assert left[:15] == [each for each in left if each.seq < 46]
    assert is_whole(left[:15])
    assert [each.message for each in left[15:]] == [message(14), message(46)]
    assert len(taken) == len(LEFT) + 1
    await again.release()
    with sqlite3.connect(landed / database.NAME) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
    other.close()


async def test_a_torn_file_of_that_version_is_saved(open_journal: Open, landed: Path) -> None:
    """Its suspects too: the numbers beside them have no checksum yet, and are believed."""
    database.suspect_damage(landed / database.NAME)
    journal = open_journal(landed)
    taken = await all_of(journal, len(LEFT))
    assert ([each.seq for each in taken], is_whole(taken), journal.lost) == (LEFT, True, 0)
    assert journal._suspects._deaths == {11: 7}
