"""What every inbox keeps to: the contract between transports, pipeline and journal."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from unit_parts import message

from module.inbox import Inbox, MemoryInbox
from module.journal import Journal
from module.messages import InputMessage

Make = Callable[..., Inbox]

FACTORIES: dict[str, Make] = {"memory": lambda _, **bounds: MemoryInbox(**bounds), "journal": Journal}


@pytest.fixture(params=FACTORIES)
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Give a function that makes an inbox of each kind with the given bounds; they are let go of at the end."""
    made: list[Inbox] = []

    def make(**bounds: int) -> Inbox:
        made.append(FACTORIES[request.param](tmp_path / str(len(made)), **bounds))
        return made[-1]

    yield make
    for inbox in made:
        inbox.close()
        await inbox.release()


def numbered(count: int) -> list[InputMessage]:
    return [message({"n": n}, f"m{n}") for n in range(count)]


async def taken(inbox: Inbox, count: int) -> list[int]:
    """Take messages until ``count`` are there; gives their seqs."""
    seqs: list[int] = []
    async with asyncio.timeout(10):
        while len(seqs) < count:
            seqs += [accepted.seq for accepted in await inbox.take(count - len(seqs))]
    return seqs


async def test_messages_come_out_as_they_came_in(make: Make) -> None:
    """In order, byte for byte, with ascending numbers, none twice."""
    inbox = make()
    odd = InputMessage(b"\xff\x00", "in put", {"message_id": "ä", "device_id": "d"}, {"k": "漢", "": ""})
    offered = [odd, message(b""), *numbered(50)]
    assert [inbox.offer([each]) for each in offered] == [1] * 52
    out = [*await inbox.take(7), *await inbox.take(100)]
    assert [accepted.message for accepted in out] == offered
    assert all(a.seq < b.seq and a.at <= b.at for a, b in pairwise(out))
    assert not any(accepted.alone or accepted.condemned for accepted in out)


async def test_take_gives_what_is_there_and_waits_only_for_the_first(make: Make) -> None:
    """Never more than asked for, never waiting for more than one."""
    inbox = make()
    waiting = asyncio.create_task(inbox.take(2))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    for each in numbered(3):
        inbox.offer([each])
    async with asyncio.timeout(5):
        assert len(await waiting) + len(await inbox.take(2)) == 3


async def test_an_offer_wakes_the_taker(make: Make) -> None:
    """A pipeline with nothing to do waits there."""
    inbox = make()
    waiting = asyncio.create_task(inbox.take(1))
    await asyncio.sleep(0)
    assert inbox.offer([message(1)]) == 1
    async with asyncio.timeout(5):
        assert [accepted.message for accepted in await waiting] == [message(1)]


async def test_offers_of_many_senders_lose_and_double_nothing(make: Make) -> None:
    """Each accepted once, those of one sender in its order, while others are taken."""
    inbox = make()

    async def feed(sender: int) -> None:
        for n in range(200):
            assert inbox.offer([message([sender, n])]) == 1
            await asyncio.sleep(0)

    senders = [asyncio.create_task(feed(sender)) for sender in range(4)]
    bodies: list[bytes] = []
    async with asyncio.timeout(20):
        while len(bodies) < 800:
            bodies += [accepted.message.body for accepted in await inbox.take(64)]
    await asyncio.gather(*senders)
    for sender in range(4):
        own = [body for body in bodies if body.startswith(b"[%d," % sender)]
        assert own == [message([sender, n]).body for n in range(200)]


async def test_it_is_bounded_in_number_until_messages_are_done(make: Make) -> None:
    """Taking makes no room, being done does; a refused message is not in it."""
    inbox = make(max_messages=3)
    room = threading.Event()
    inbox.on_room = room.set
    assert [inbox.offer([each]) for each in numbered(5)] == [1, 1, 1, 0, 0]
    seqs = await taken(inbox, 3)
    assert inbox.offer([message("more")]) == 0
    assert inbox.waiting() == 3
    async with asyncio.timeout(5):
        await inbox.done(seqs[1:2])
        assert await asyncio.to_thread(room.wait, 5)
    assert inbox.waiting() == 2
    assert [inbox.offer([message("more")]), inbox.offer([message("too much")])] == [1, 0]
    assert [accepted.message for accepted in await inbox.take(9)] == [message("more")]


async def test_of_a_group_as_many_are_accepted_as_there_is_room_for(make: Make) -> None:
    """The first ones, in order; nothing overtakes the one without room, however small it is."""
    inbox = make(max_messages=3)
    assert inbox.offer(numbered(5)) == 3
    assert inbox.offer([]) == 0
    assert [accepted.message for accepted in await inbox.take(9)] == numbered(3)
    inbox = make(max_bytes=10_000)
    large, small = message(b"x" * 6_000), message(b"y")
    assert inbox.offer([large, large, small]) == 1


async def test_it_is_bounded_in_bytes(make: Make) -> None:
    """Large messages fill it earlier; when they are done their bytes are free again."""
    inbox = make(max_bytes=10_000)
    large = message(b"x" * 4_000)
    assert [inbox.offer([large]) for _ in range(3)] == [1, 1, 0]
    assert 8_000 <= inbox.waiting_bytes() <= 10_000
    await inbox.done(await taken(inbox, 2))
    assert inbox.waiting_bytes() == 0
    assert inbox.offer([large]) == 1


async def test_a_message_larger_than_the_bound_does_not_block_the_hub_for_ever(make: Make) -> None:
    """Alone it is taken, for else nothing would ever come after it; nothing beside it."""
    inbox = make(max_bytes=1_000)
    assert inbox.offer([message(b"x" * 5_000)]) == 1
    assert inbox.offer([message(b"y")]) == 0
    await inbox.done(await taken(inbox, 1))
    assert inbox.offer([message(b"y")]) == 1


async def test_messages_are_done_in_any_order(make: Make) -> None:
    """Those that are not done stay counted; one with a reason is done too."""
    inbox = make()
    for each in numbered(4):
        inbox.offer([each])
    seqs = await taken(inbox, 4)
    inbox.running(seqs[:2])
    inbox.running([])
    await inbox.done([seqs[3], seqs[0]], {seqs[0]: "x is missing"})
    assert inbox.waiting() == 2
    await asyncio.gather(inbox.done([seqs[2]]), inbox.done([seqs[1]]))
    assert (inbox.waiting(), inbox.waiting_bytes()) == (0, 0)


async def test_after_close_nothing_is_accepted_and_take_comes_to_its_end(make: Make) -> None:
    """A durable inbox ends at once and keeps the rest; one that would lose the rest gives it first."""
    inbox = make()
    for each in numbered(3):
        inbox.offer([each])
    inbox.close()
    assert inbox.offer([message("late")]) == 0
    rest = [] if isinstance(inbox, Journal) else [1, 1, 1]
    async with asyncio.timeout(5):
        assert [len(await inbox.take(1)) for _ in range(len(rest) + 2)] == [*rest, 0, 0]
    assert inbox.waiting() == 3


async def test_close_wakes_a_taker_that_waits(make: Make) -> None:
    """A pipeline with nothing to do must end too."""
    inbox = make()
    waiting = asyncio.create_task(inbox.take(1))
    await asyncio.sleep(0.02)
    inbox.close()
    async with asyncio.timeout(5):
        assert await waiting == []


async def test_two_inboxes_name_their_messages_apart(make: Make) -> None:
    """The uuid stands in for the message id that an input message may lack."""
    assert make().uuid != make().uuid


async def test_equal_messages_are_two_unless_one_may_be_a_redelivery(make: Make) -> None:
    """Devices reuse ids: outside a reconnect nothing is ever dropped."""
    inbox = make()
    twice = message({"n": 1}, "m1")
    assert [inbox.offer([twice]), inbox.offer([twice])] == [1, 1]
    assert inbox.offer([message({"n": 1})], maybe_again=True) == 1
    inbox.connected()
    assert inbox.offer([message({"n": 2}, "m2")], maybe_again=True) == 1
    assert inbox.waiting() == 4
