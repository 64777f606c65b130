"""The journal on real file systems, small ones, and full ones: nothing gets stuck, nothing is lost, the order stays."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from volumes import KINDS, Filler, volume

from module.journal import Journal
from module.messages import InputMessage

COUNT = 10_000


def message(number: int) -> InputMessage:
    """Give a message of 350 bytes as a rule, of 20 kB now and then, and seldom as large as edgeHub takes."""
    size = 250_000 if number % 500 == 499 else 20_000 if number % 50 == 49 else 350
    return InputMessage(random.Random(number).randbytes(size), "amlInput", {"message_id": f"m{number}"})


class Traffic:
    """A hub that always has a next message, and a module that answers slower than they come."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent = self.seen = 0
        self.journal: Journal

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Journal]:
        """Open the journal for a while."""
        self.journal = Journal(self.directory)
        self.room = asyncio.Event()
        self.journal.on_room = lambda: self.journal._loop.call_soon_threadsafe(self.room.set)
        assert self.journal.lost == 0
        assert self.journal.waiting() == self.sent - self.seen
        yield self.journal
        await self.journal.release()

    async def press(self, up_to: int) -> None:
        """Send until there is no room."""
        while self.sent < up_to:
            group = [message(n) for n in range(self.sent, min(up_to, self.sent + random.randint(1, 8)))]
            self.room.clear()
            accepted = self.journal.offer(group)
            self.sent += accepted
            if not accepted:
                return
            await asyncio.sleep(0)

    async def drain(self, count: int) -> None:
        """Answer so many, in batches of a few, some of them as errors."""
        up_to = min(self.seen + count, self.sent)
        while self.seen < up_to:
            batch = await self.journal.take(min(up_to - self.seen, random.randint(1, 8)))
            for taken in batch:
                assert taken.message == message(self.seen), "altered, lost, or out of order"
                self.seen += 1
            bad = {each.seq: "bad" for each in batch if each.seq % 7 == 0}
            await self.journal.done([each.seq for each in batch], bad)

    async def all_through(self, up_to: int = COUNT) -> None:
        """Send and answer until nothing is left; a standstill of ten seconds is none that ends."""
        while self.seen < up_to:
            before = self.sent, self.seen
            async with asyncio.timeout(60):
                await self.press(up_to)
                await self.drain((self.sent - self.seen) * 2 // 3 + 1)
                if (self.sent, self.seen) == before:
                    async with asyncio.timeout(10):
                        await self.room.wait()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str, float], Path]]:
    """Give a function that mounts a volume for the time of the test."""
    with ExitStack() as stack:
        yield lambda kind, megabytes: stack.enter_context(volume(kind, megabytes, tmp_path))


Mounted = Callable[[str, float], Path]


@pytest.mark.parametrize("kind", KINDS)
async def test_ten_thousand_messages_through_sixteen_megabytes(mounted: Mounted, kind: str) -> None:
    """With all the backlog that fits; the bound follows the volume."""
    traffic = Traffic(mounted(kind, 16) / "journal")
    async with traffic.life() as journal:
        await traffic.all_through()
        assert (journal.trouble, journal.waiting(), journal.lost) == ("", 0, 0)


@pytest.mark.parametrize("kind", ["ext2", "ext4", "tmpfs"])
@pytest.mark.parametrize("megabytes", [4, 6, 9, 24])
async def test_small_volumes_do_not_get_stuck(mounted: Mounted, kind: str, megabytes: float) -> None:
    """A journal that fills its own volume had no space to delete anything: under 9 MB within a second."""
    traffic = Traffic(mounted(kind, megabytes) / "journal")
    async with traffic.life():
        await traffic.all_through(2500)


@pytest.mark.parametrize("kind", ["ext2", "ext4", "tmpfs"])
async def test_a_volume_that_somebody_else_fills_drains(mounted: Mounted, kind: str) -> None:
    """To the last byte, with a backlog: all of it is answered, over restarts too; with space it goes on."""
    place = mounted(kind, 16)
    filler, traffic = Filler(place), Traffic(place / "journal")
    async with traffic.life():
        await traffic.press(COUNT)
        filler.fill()
        await traffic.drain((traffic.sent - traffic.seen) // 3)
        filler.fill()
    async with traffic.life():
        filler.fill()
        await traffic.drain(COUNT)
        assert traffic.seen == traffic.sent
    filler.fill()
    async with traffic.life() as journal:
        filler.free()
        await traffic.all_through(4000)
        assert journal.trouble == ""


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_left_is_there_after_a_restart(mounted: Mounted, kind: str) -> None:
    """It starts on each of them: append mode and posix_fallocate do not go together on ext2, ext3, NFS 3, vfat."""
    traffic = Traffic(mounted(kind, 16) / "journal")
    for up_to in (100, 200, 300):
        async with traffic.life():
            await traffic.press(up_to)
            await traffic.drain(50)
    async with traffic.life():
        await traffic.drain(1000)
    assert traffic.seen == traffic.sent == 300
