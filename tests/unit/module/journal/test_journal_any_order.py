"""Any interleaving of arrivals, acks, confirmations, crashes and restarts: nothing accepted is ever forgotten."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from journals import Offer, numbered, offer

from module.journal import Journal
from module.messages import Accepted

MAX_UNCONFIRMED = 4
MAX_MESSAGES = 12


class Delivery(RuleBasedStateMachine):
    """A hub with one message in flight, the journal, and what was published: the model knows who owes what.

    The module is played by the rules: take, publish at most MAX_UNCONFIRMED, say done when confirmed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = self.kills = 0
        self.sent = 0  # the hub's next new message
        self.in_flight: int | None = None  # un-acked at the hub
        self.may_come_again = False
        self.accepted: list[int] = []
        self.seqs: list[int] = []
        self.published: list[int] = []
        self.finished: set[int] = set()  # seqs that may be deleted
        self.begin(None)

    def begin(self, left: Path | None) -> None:
        directory = self.folder / str(self.lives)
        if left is not None:
            shutil.copytree(left, directory)
        self.lives += 1
        self.directory = directory

        async def opened() -> Journal:
            return Journal(directory, max_messages=MAX_MESSAGES)

        self.journal = self.loop.run_until_complete(opened())
        assert self.journal.lost == 0
        self.taken: list[Accepted] = []
        self.unconfirmed: list[Accepted] = []
        self.connect()

    def connect(self) -> None:
        self.journal.connected()
        self.may_come_again = self.in_flight is not None

    @rule(count=st.integers(1, 8), acks=st.booleans())
    def arrive(self, count: int, acks: bool) -> None:
        """The hub sends messages one by one; the last PUBACK may get lost with the connection."""
        for n in range(count):
            self.arrive_one(acks or n < count - 1)

    def arrive_one(self, acks: bool) -> None:
        if self.in_flight is None:
            self.in_flight, self.sent = self.sent, self.sent + 1
        number = self.in_flight
        offered = offer(self.journal, numbered(number), maybe_again=self.may_come_again)
        if offered is Offer.ACCEPTED:
            assert number not in self.accepted, "a redelivery was taken for a new message"
            self.accepted.append(number)
            self.seqs.append(self.in_file()[-1].seq)
        elif offered is Offer.DUPLICATE:
            assert number in self.accepted, "a new message was taken for a redelivery"
        else:
            assert self.journal.waiting() >= MAX_MESSAGES
            return
        if acks:
            self.in_flight, self.may_come_again = None, False
        else:
            self.connect()

    @rule(count=st.integers(1, 8))
    def take_and_publish(self, count: int) -> None:
        """Take what is there, and publish as many as the bound allows."""

        async def take() -> list[Accepted]:
            async with asyncio.timeout(5):
                return await self.journal.take(count)

        if self.journal.waiting() > len(self.taken) + len(self.unconfirmed):
            self.taken += self.loop.run_until_complete(take())
        while self.taken and len(self.unconfirmed) < MAX_UNCONFIRMED:
            accepted = self.taken.pop(0)
            self.unconfirmed.append(accepted)
            self.published.append(int(accepted.message.system["message_id"][1:]))

    @precondition(lambda self: self.unconfirmed)
    @rule(count=st.integers(1, MAX_UNCONFIRMED))
    def confirm(self, count: int) -> None:
        """The hub confirms some, in order: they are done."""
        confirmed, self.unconfirmed = self.unconfirmed[:count], self.unconfirmed[count:]
        self.finished |= {accepted.seq for accepted in confirmed}

        async def done() -> None:
            async with asyncio.timeout(5):
                await asyncio.gather(*[self.journal.done([accepted.seq]) for accepted in confirmed])

        self.loop.run_until_complete(done())

    @precondition(lambda self: self.journal.waiting())
    @rule(deleting=st.booleans())
    def crash(self, deleting: bool) -> None:
        """The files as they are, and not a word more; perhaps while deletions are on their way."""
        if deleting and self.unconfirmed:
            self.loop.run_until_complete(self.ask_to_delete(self.unconfirmed[0].seq))
        self.kills += 1
        left = self.folder / f"left{self.lives}"
        with self.journal._appender as frozen:  # no deletion in the middle of the copy: that would be no moment
            frozen.execute("BEGIN IMMEDIATE")
            shutil.copytree(self.directory, left)
        self.loop.run_until_complete(self.journal.release())
        self.begin(left)

    async def ask_to_delete(self, seq: int) -> None:
        self.finished.add(seq)
        self.journal.done([seq])

    @precondition(lambda self: self.journal.waiting())
    @rule()
    def restart(self) -> None:
        """A clean end and a new start."""
        self.loop.run_until_complete(self.journal.release())
        self.begin(self.directory)

    @invariant()
    def nothing_is_forgotten_and_duplicates_are_few(self) -> None:
        """Every accepted message is in the file or confirmed; each end leaves at most the bound to come again."""
        waits = {accepted.seq for accepted in self.in_file()}
        assert set(self.seqs) <= waits | self.finished
        duplicates = len(self.published) - len(set(self.published))
        assert duplicates <= MAX_UNCONFIRMED * self.lives
        firsts = list(dict.fromkeys(self.published))
        assert firsts == self.accepted[: len(firsts)]

    def in_file(self) -> list[Accepted]:
        from module.journal.records import unpack

        rows = self.journal._appender.execute("SELECT seq, message FROM messages ORDER BY seq").fetchall()
        return [Accepted(seq, unpack(seq, message), 0.0) for seq, message in rows]

    def teardown(self) -> None:
        self.loop.run_until_complete(self.journal.release())
        self.loop.close()
        shutil.rmtree(self.folder)


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=40, stateful_step_count=50)
