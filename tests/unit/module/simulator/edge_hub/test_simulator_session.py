"""The module's queue: one un-acked message at a time, time-outs, priorities; the clock is set by hand."""

import asyncio
import itertools
from typing import Any

import pytest

from module.simulator.edge_hub import session as session_file
from module.simulator.edge_hub.packets import Decoder
from module.simulator.edge_hub.sas import Identity
from module.simulator.edge_hub.session import Delivery, Session
from module.simulator.routing.messages import RoutedMessage
from module.transports.mqtt_packets import Publish

MODULE = Identity("hub.example", "d", "m", b"key")
INPUTS = "devices/d/modules/m/inputs/#"


class Link:
    """A connection that keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Publish] = []
        self._decoder = Decoder(10_000)

    def send(self, data: bytes) -> None:
        self.sent += [packet for packet in self._decoder.feed(data) if isinstance(packet, Publish)]

    @property
    def bodies(self) -> list[str]:
        return [packet.body.decode() + ("*" if packet.dup else "") for packet in self.sent]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1000.0

    monkeypatch.setattr(session_file, "monotonic", lambda: Clock.now)
    return Clock


def make(*, max_in_flight: int = 1, bound: int = 100, listening: bool = True) -> tuple[Session, Link]:
    session = Session(
        identity=MODULE, max_in_flight=max_in_flight, ack_timeout=30.0, bound=bound, delivered=lambda _: None
    )
    link = Link()
    session.attach(link, clean=False)
    if listening:
        session.subscriptions.add(INPUTS)
    return session, link


def put(session: Session, *bodies: str, priority: int = 5, expires: float = float("inf")) -> None:
    for body in bodies:
        session.enqueue(Delivery(RoutedMessage(body.encode(), "/", {}, {}), "topic", priority, expires))


def ack(session: Session, link: Link) -> None:
    session.ack(link.sent[-1].packet_id)


def test_the_next_message_follows_the_ack_of_the_last() -> None:
    session, link = make()
    put(session, "a", "b", "c")
    assert link.bodies == ["a"]
    ack(session, link)
    ack(session, link)
    assert link.bodies == ["a", "b", "c"]
    assert (session.acked, session.waiting, len(session.in_flight)) == (2, 0, 1)


def test_more_in_flight_if_asked() -> None:
    session, link = make(max_in_flight=2)
    put(session, "a", "b", "c")
    assert link.bodies == ["a", "b"]
    session.ack(link.sent[1].packet_id)
    assert link.bodies == ["a", "b", "c"]


def test_nothing_is_sent_before_the_subscription() -> None:
    session, link = make(listening=False)
    put(session, "a")
    assert link.bodies == []
    session.subscriptions.add(INPUTS)
    session.pump()
    assert link.bodies == ["a"]


def test_smaller_priorities_go_first_and_each_in_order() -> None:
    session, link = make()
    put(session, "first")
    put(session, "late 1", "late 2", priority=9)
    put(session, "soon 1", "soon 2", priority=0)
    for _ in range(4):
        ack(session, link)
    assert link.bodies == ["first", "soon 1", "soon 2", "late 1", "late 2"]


def test_without_an_ack_it_is_sent_again_later_and_later(clock: Any) -> None:
    session, link = make()
    put(session, "a", "b")
    sent_at = []
    for second in range(1000, 1400):
        before = len(link.sent)
        clock.now = float(second)
        session.tick(clock.now)
        sent_at += [second] * (len(link.sent) - before)
    assert link.bodies[:3] == ["a", "a*", "a*"]
    assert [b - a for a, b in itertools.pairwise(sent_at)] == [32, 34, 38, 46, 62, 90]
    assert sent_at[0] == 1031


def test_an_ack_after_the_time_out_is_too_late(clock: Any) -> None:
    session, link = make()
    put(session, "a", "b")
    clock.now = 1030.0
    session.tick(clock.now)
    ack(session, link)
    clock.now = 1031.0
    session.tick(clock.now)
    assert link.bodies == ["a", "a*"]
    ack(session, link)
    assert link.bodies == ["a", "a*", "b"]


def test_after_a_reconnect_the_unacked_goes_first_and_at_once(clock: Any) -> None:
    session, link = make()
    put(session, "a", "b")
    session.detach(link)
    again = Link()
    session.attach(again, clean=False)
    session.pump()
    assert again.bodies == ["a*"]
    assert again.sent[0].packet_id == link.sent[0].packet_id
    ack(session, again)
    assert again.bodies == ["a*", "b"]
    assert session.redelivered == 1


def test_a_clean_session_forgets_subscriptions_but_not_messages() -> None:
    session, link = make()
    put(session, "a")
    session.detach(link)
    again = Link()
    session.attach(again, clean=True)
    session.pump()
    assert (again.bodies, session.persistent) == ([], False)
    session.subscriptions.add(INPUTS)
    session.pump()
    assert again.bodies == ["a*"]


def test_what_has_outlived_its_time_is_dropped(clock: Any) -> None:
    session, link = make()
    put(session, "a", "b", expires=1010.0)
    put(session, "c")
    clock.now = 1030.0
    session.tick(clock.now)
    assert link.bodies == ["a", "c"]
    assert session.expired == 2


def test_the_packet_id_of_an_unacked_message_is_not_used_again() -> None:
    session, link = make(max_in_flight=2)
    put(session, "stays")
    for _ in range(65_535):
        assert session.new_packet_id() != link.sent[0].packet_id


async def test_room_waits_while_the_queue_is_full_until_it_is_half_empty() -> None:
    session, link = make(bound=4)
    put(session, "0", "1", "2", "3", "4")
    waiting = asyncio.ensure_future(session.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    ack(session, link)
    await asyncio.sleep(0)
    assert not waiting.done()
    ack(session, link)
    await asyncio.sleep(0)
    assert waiting.done()


def test_subscriptions_are_filters() -> None:
    session, link = make()
    session.subscriptions.add("$iothub/twin/res/#")
    assert session.send("$iothub/twin/res/200/?$rid=1", b"taken")
    assert not session.send("$iothub/methods/POST/x/?$rid=1", b"not asked for")
    assert link.bodies == ["taken"]
