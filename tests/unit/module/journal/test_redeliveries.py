"""What is taken for a redelivery, and what never is: to drop a message that was none would lose it."""

from pathlib import Path

import pytest
from journals import Offer, Open, all_of, fill, killed, numbered, offer
from msgspec import msgpack, structs
from unit_parts import message

from module.journal import redeliveries
from module.journal.redeliveries import fingerprint
from module.messages import InputMessage

FIRST = InputMessage(
    b'{"n": 1}', "amlInput", {"message_id": "m1", "device_id": "d", "module_id": "m", "creation_time": "t"}, {"k": "v"}
)

OTHERS = [
    structs.replace(FIRST, body=b'{"n": 2}'),  # a device that uses an id again
    structs.replace(FIRST, input="other"),  # two routes into two inputs
    structs.replace(FIRST, system={**FIRST.system, "message_id": "m2"}),  # equal bodies
    structs.replace(FIRST, system={**FIRST.system, "device_id": "e"}),
    structs.replace(FIRST, system={**FIRST.system, "module_id": "n"}),
    structs.replace(FIRST, system={**FIRST.system, "creation_time": "u"}),
    structs.replace(FIRST, properties={"k": "w"}),
    structs.replace(FIRST, properties={}),
]


async def test_a_redelivery_is_dropped_once_on_each_connection(open_journal: Open) -> None:
    """A second equal one on the same connection is a message of its own."""
    journal = open_journal()
    assert offer(journal, FIRST) is Offer.ACCEPTED
    for _ in range(2):
        journal.connected()
        assert offer(journal, FIRST, maybe_again=True) is Offer.DUPLICATE
        assert offer(journal, FIRST, maybe_again=True) is Offer.ACCEPTED
    assert journal.waiting() == 3


async def test_two_equal_messages_on_one_connection_are_two(open_journal: Open) -> None:
    """Only what was accepted before the connection began can come again: 1, 1, 2, 3 were the answers to five."""
    journal = open_journal()
    journal.connected()
    offers = [offer(journal, numbered(n), maybe_again=True) for n in (1, 1, 1, 2, 3)]
    assert offers == [Offer.ACCEPTED] * 5
    journal.connected()
    assert offer(journal, numbered(3), maybe_again=True) is Offer.DUPLICATE
    assert [offer(journal, numbered(n), maybe_again=True) for n in (3, 4, 4)] == [Offer.ACCEPTED] * 3


async def test_redeliveries_come_in_the_order_of_the_messages(open_journal: Open) -> None:
    """What was accepted before one that has come again was acked: an equal one is new."""
    journal = open_journal()
    fill(journal, range(5))
    journal.connected()
    offers = [offer(journal, numbered(n), maybe_again=True) for n in (3, 2, 4)]
    assert offers == [Offer.DUPLICATE, Offer.ACCEPTED, Offer.DUPLICATE]


async def test_a_redelivery_behind_a_message_without_room_is_known_when_it_is_offered_again(open_journal: Open) -> None:
    """Its place on the connection is taken only when it is dropped: else it would be scored twice."""
    journal = open_journal(max_messages=2)
    fill(journal, range(2))
    journal.connected()
    group = [numbered(2), numbered(1)]
    assert journal.offer(group, maybe_again=True) == 0
    await journal.done([each.seq for each in await all_of(journal, 2)])
    assert journal.offer(group, maybe_again=True) == 2
    assert journal.waiting() == 1


@pytest.mark.parametrize("other", OTHERS)
async def test_what_differs_in_anything_is_never_dropped(open_journal: Open, other: InputMessage) -> None:
    """Input, sender, id, system properties, properties and body all count."""
    journal = open_journal()
    assert offer(journal, FIRST) is Offer.ACCEPTED
    journal.connected()
    assert offer(journal, other, maybe_again=True) is Offer.ACCEPTED
    assert offer(journal, FIRST, maybe_again=True) is Offer.DUPLICATE


async def test_without_an_id_nothing_is_dropped(open_journal: Open) -> None:
    """Nobody can know whether a sensor sent the same value again."""
    journal = open_journal()
    for _ in range(3):
        journal.connected()
        assert offer(journal, message({"n": 1}), maybe_again=True) is Offer.ACCEPTED


async def test_a_redelivery_is_known_after_a_kill_and_after_it_is_done(open_journal: Open, tmp_path: Path) -> None:
    """The ack of the last message may not have reached the hub, answered or not."""
    journal = open_journal(tmp_path / "a")
    fill(journal, range(3))
    taken = await all_of(journal, 3)
    await journal.done([each.seq for each in taken])
    after = open_journal(killed(journal, tmp_path / "a", tmp_path / "b"))
    after.connected()
    assert offer(after, numbered(2), maybe_again=True) is Offer.DUPLICATE
    assert offer(after, numbered(3), maybe_again=True) is Offer.ACCEPTED


def mark(number: int) -> bytes:
    return fingerprint(numbered(number), msgpack.encode(numbered(number)))


@pytest.mark.parametrize("are_done", [False, True])
async def test_the_last_256_are_remembered(open_journal: Open, are_done: bool) -> None:
    """In memory and in the file, done or not: no more and no fewer."""
    journal = open_journal()
    fill(journal, range(300))
    if are_done:
        taken = [each.seq for each in await all_of(journal, 300)]
        for group in (taken[100:250], taken[:100:2], taken[1:100:2], taken[250:]):
            await journal.done(group)
    await journal.release()
    journal = open_journal()
    journal.connected()
    assert [n for n in range(300) if journal._redeliveries.among([mark(n)])[0]] == list(range(44, 300))
    fill(journal, range(300, 301))
    journal.connected()
    assert journal._redeliveries.among(map(mark, (44, 45, 300))) == [0, 46, 301], "the oldest one made place"
    assert redeliveries.REMEMBERED == 256


async def test_the_file_keeps_no_more_fingerprints_than_that(open_journal: Open) -> None:
    """However many messages went through, and memory at most twice as many."""
    journal = open_journal()
    for start in range(0, 2000, 100):
        fill(journal, range(start, start + 100))
        await journal.done([each.seq for each in await all_of(journal, 100)])
    assert journal._reader.execute("SELECT count(*) FROM recent").fetchone() == (256,)
    assert len(journal._redeliveries._seqs) <= 512
