"""The tap's rules for acks, whatever arrives and however much room there is."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from mqtt_line import INPUTS, Line, Paho, Room, sdk_client, telemetry
from waiting import until

from module.errors import SettingsError, UnsendableError
from module.messages import OutputMessage
from module.transports import edge_hub_tap
from module.transports.edge_hub_tap import MAX_HELD, Tap
from module.transports.mqtt_packets import puback


async def test_an_accepted_message_is_acked_once(line: Line, room: Room) -> None:
    """And what is no input message is left to paho, whole; QoS 0 has no ack."""
    twin = telemetry(2, topic="$iothub/twin/res/200/?$rid=1")
    without = bytearray(telemetry(0))
    without[0] = 0x30
    del without[-3:-1]  # no packet id
    without[1] -= 2
    await line.deliver(telemetry(1, b"a"), twin, bytes(without))
    assert (room.accepted, line.acked, line.paho.seen) == ([b"a", b"1"], [1], twin)


async def test_room_for_some_of_a_group_acks_those(line: Line, room: Room, tap: Tap) -> None:
    """The rest waits, un-acked, in order."""
    room.left = 2
    await line.deliver(*[telemetry(n, b"%d" % n) for n in range(1, 6)])
    assert (room.accepted, line.acked, tap.held) == ([b"1", b"2"], [1, 2], 3)
    room.left = 1
    tap.make_room()
    room.left = 9
    await line.deliver(telemetry(6, b"6"))
    tap.make_room()
    await asyncio.sleep(0)
    assert (room.accepted, line.acked, tap.held) == ([b"%d" % n for n in range(1, 7)], [*range(1, 7)], 0)


async def test_a_group_that_cannot_be_appended_is_not_acked(
    line: Line, tap: Tap, caplog: pytest.LogCaptureFixture
) -> None:
    """Not one of them; an error of ours never reaches the loop."""

    def broken(*_: object, **__: object) -> int:
        raise KeyError("broken")

    tap._offer = broken
    await line.deliver(telemetry(1), telemetry(2))
    assert line.acked == []
    assert "please report" in caplog.text


async def test_without_room_the_ack_waits_until_there_is(line: Line, room: Room, tap: Tap) -> None:
    """Each is acked once, and nothing overtakes what is held."""
    room.left = 0
    await line.deliver(telemetry(1, b"a"), telemetry(2, b"b"))
    assert (room.accepted, line.acked, tap.held) == ([], [], 2)
    room.left = 9
    await line.deliver(telemetry(3, b"c"))
    tap.make_room()
    await asyncio.sleep(0)
    assert (room.accepted, line.acked, tap.held) == ([b"a", b"b", b"c"], [1, 2, 3], 0)


async def test_room_that_is_made_while_a_message_finds_none_is_not_missed(paho: Any, line: Line, room: Room) -> None:
    """Between "full" and the place among the held ones the last place may become free: nobody would call again."""
    room.left = 0
    line.socket.records.append(telemetry(1, b"a"))
    paho.read()
    room.left = 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (room.accepted, line.acked) == ([b"a"], [1])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give a clock that a test sets."""
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(edge_hub_tap, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


WITH_ID = f"{INPUTS}%24.mid=m1"


async def make_room(tap: Tap, room: Room) -> None:
    """Let the held messages in."""
    room.left = 99
    tap.make_room()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_held_message_that_comes_again_is_one(line: Line, room: Room, tap: Tap, clock: SimpleNamespace) -> None:
    """The hub lost patience: the ack goes to the new packet id. Without an id or a mark it may be another message."""
    room.left = 0
    await line.deliver(telemetry(1, topic=WITH_ID), telemetry(2))
    clock.now += 11
    await line.deliver(telemetry(11, topic=WITH_ID), telemetry(12))
    await make_room(tap, room)
    assert line.acked == [11, 2, 12]
    assert len(room.accepted) == 3


@pytest.mark.parametrize("renumbered", [0, 10])
async def test_held_messages_without_an_id_are_not_copied(
    line: Line, room: Room, tap: Tap, clock: SimpleNamespace, renumbered: int
) -> None:
    """Five equal ones, each sent four times: five. Copies have the DUP flag, and perhaps a new packet id."""
    room.left = 0
    await line.deliver(*[telemetry(n) for n in range(1, 6)])
    for turn in range(1, 4):
        clock.now += 30
        await line.deliver(*[telemetry(turn * renumbered + n, dup=True) for n in range(1, 6)])
    await make_room(tap, room)
    assert (len(room.accepted), line.acked) == (5, [3 * renumbered + n for n in range(1, 6)])


@pytest.mark.parametrize("topic", [INPUTS, WITH_ID])
async def test_equal_messages_that_are_held_are_as_many_as_they_are(
    line: Line, room: Room, tap: Tap, topic: str
) -> None:
    """Also when all of them come with the DUP flag: they were un-acked when the last connection ended."""
    room.left = 0
    await line.deliver(*[telemetry(n, topic=topic, dup=True) for n in range(1, 6)])
    await make_room(tap, room)
    assert (len(room.accepted), line.acked) == (5, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("again", [(INPUTS, True), (WITH_ID, True), (WITH_ID, False)])
async def test_what_was_acked_too_late_may_come_once_more(
    line: Line, room: Room, tap: Tap, clock: SimpleNamespace, again: tuple[str, bool]
) -> None:
    """The hub had decided to send it again: acked, not taken; the next equal one is a message of its own."""
    topic, dup = again
    room.left = 0
    await line.deliver(telemetry(1, topic=topic))
    clock.now += 31
    await make_room(tap, room)
    await line.deliver(telemetry(2, topic=topic, dup=dup))
    await line.deliver(telemetry(3, topic=topic))
    assert (len(room.accepted), line.acked) == (2, [1, 2, 3])


async def test_without_an_id_and_without_a_mark_nothing_came_late(
    line: Line, room: Room, tap: Tap, clock: SimpleNamespace
) -> None:
    """A sensor sends the same value again, and the packet id is free again."""
    room.left = 0
    await line.deliver(telemetry(1))
    clock.now += 31
    await make_room(tap, room)
    await line.deliver(telemetry(1))
    assert (len(room.accepted), line.acked) == (2, [1, 1])


async def test_no_more_than_twenty_are_held(line: Line, room: Room, tap: Tap) -> None:
    """The rest stays un-acked: the hub sends it again."""
    room.left = 0
    await line.deliver(*[telemetry(n, b"%d" % n) for n in range(1, MAX_HELD + 6)])
    assert tap.held == MAX_HELD
    room.left = 99
    tap.make_room()
    await asyncio.sleep(0)
    assert line.acked == list(range(1, MAX_HELD + 1))


async def test_what_is_held_is_forgotten_with_the_connection(line: Line, room: Room, tap: Tap) -> None:
    """Its packet id means nothing on another one; the hub sends the message again."""
    room.left = 0
    await line.deliver(telemetry(1))
    await line.deliver(b"")
    room.left = 9
    tap.make_room()
    assert (room.accepted, line.acked, tap.held, line.paho.ended) == ([], [], 0, 1)


async def test_what_is_published_after_the_end_of_the_connection_stays_unconfirmed(line: Line, tap: Tap) -> None:
    """It goes out on the next one; nothing looks for its confirmation on this one."""
    before = tap.publish(OutputMessage(b"", "out"))
    await line.deliver(b"")
    await asyncio.sleep(0.01)
    after = tap.publish(OutputMessage(b"", "out"))
    assert not before.done()
    assert not after.done()
    assert tap._unconfirmed == {}


async def test_redeliveries_are_looked_for_during_five_minutes(line: Line, room: Room, clock: SimpleNamespace) -> None:
    """After a connect; then an equal message is another message."""
    await line.deliver(telemetry(1))
    clock.now += 301
    await line.deliver(telemetry(2))
    assert room.asked == [True, False]


async def test_a_packet_id_is_used_by_one_unconfirmed_message(line: Line, tap: Tap) -> None:
    """The client gives the same ones again after a while; a PUBACK that is not for the tap is paho's."""
    first, second = (tap.publish(OutputMessage(b"", "out")) for _ in range(2))
    await line.deliver(puback(1), puback(3))
    await until(first.done)
    assert (first.done(), second.done(), line.paho.seen) == (True, False, puback(3))
    third, fourth = (tap.publish(OutputMessage(b"", "out")) for _ in range(2))  # 3 and 1: 2 is in use
    await line.deliver(puback(1), puback(3))
    await until(fourth.done)
    assert (second.done(), third.done(), fourth.done()) == (False, True, True)
    with pytest.raises(UnsendableError, match="65535"):
        await tap.publish(OutputMessage(b"", "out", {}, {"x": "y" * 65_535}))


async def test_another_sdk_is_refused(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    """Acking early instead would lose messages silently: the sentence names the versions that fit."""
    with pytest.raises(SettingsError, match=r"install 2\.14\.x or 2\.15\.x"):
        Tap(SimpleNamespace(), room, lambda: None)
    monkeypatch.setattr(edge_hub_tap, "version", lambda _: "3.0.0")
    with pytest.raises(SettingsError, match=r"3\.0\.0"):
        Tap(sdk_client(Paho()), room, lambda: None)
