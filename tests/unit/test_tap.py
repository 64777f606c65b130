"""The tap's rules for acks, with a stand-in for paho that calls back as paho 1.6 and paho 2 do."""

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from module.errors import SettingsError
from module.messages import InputMessage, Offer
from module.transports import edge_hub_tap
from module.transports.edge_hub_tap import MAX_HELD, Tap

INPUTS = "devices/d/modules/m/inputs/amlInput/"


class Paho1:
    """paho 1.6: acks by itself once on_message has returned."""

    def __init__(self) -> None:
        self.acked: list[int] = []
        self.seen_by_sdk: list[str] = []
        self.on_message: Any = lambda paho, userdata, packet: self.seen_by_sdk.append(packet.topic)
        self.on_publish = self.on_disconnect = lambda *_: None
        self._out_messages: dict[int, Any] = {}
        self._thread = threading.current_thread()
        self._sock_send = self._sock_recv = lambda argument: argument

    def max_inflight_messages_set(self, count: int) -> None:
        """Not of interest."""

    def _send_puback(self, packet_id: int) -> int:
        self.acked.append(packet_id)
        return 0

    def deliver(self, packet_id: int, topic: str, body: bytes = b"1") -> None:
        """Hand over a packet."""
        self.on_message(self, None, SimpleNamespace(topic=topic, payload=body, mid=packet_id, qos=1))
        self._send_puback(packet_id)


class Paho2(Paho1):
    """paho 2: acks only when told to."""

    def manual_ack_set(self, on: bool) -> None:
        """Always on here."""

    def ack(self, packet_id: int, qos: int) -> int:
        """Ack one."""
        return self._send_puback(packet_id)

    def deliver(self, packet_id: int, topic: str, body: bytes = b"1") -> None:
        """Hand over a packet."""
        self.on_message(self, None, SimpleNamespace(topic=topic, payload=body, mid=packet_id, qos=1))


class Room:
    """An inbox of which a test says whether it is full."""

    def __init__(self) -> None:
        self.is_full = False
        self.accepted: list[bytes] = []
        self.asked: list[bool] = []

    def offer(self, message: InputMessage, *, maybe_again: bool = False) -> Offer:
        """Take a message if there is room."""
        self.asked.append(maybe_again)
        if self.is_full:
            return Offer.FULL
        self.accepted.append(message.body)
        return Offer.ACCEPTED


def sdk_client(paho: Any) -> Any:
    """Give something built as the SDK's client is."""
    stage = SimpleNamespace(
        transport=SimpleNamespace(_mqtt_client=paho),
        nucleus=SimpleNamespace(pipeline_configuration=SimpleNamespace(device_id="d", module_id="m")),
    )
    return SimpleNamespace(_mqtt_pipeline=SimpleNamespace(_pipeline=stage))


@pytest.fixture(params=[Paho1, Paho2])
def paho(request: pytest.FixtureRequest) -> Any:
    """Give each kind of paho."""
    return request.param()


@pytest.fixture
def room() -> Room:
    """Give an inbox."""
    return Room()


@pytest.fixture
async def tap(paho: Any, room: Room) -> Tap:
    """Give a tap between the two."""
    return Tap(sdk_client(paho), room.offer, lambda: None)


async def test_an_accepted_message_is_acked_once(paho: Any, room: Room, tap: Tap) -> None:
    """And what is no input message goes to the SDK and is acked too."""
    paho.deliver(1, INPUTS, b"a")
    paho.deliver(2, "$iothub/twin/res/200/?$rid=1")
    assert (room.accepted, paho.acked, paho.seen_by_sdk) == ([b"a"], [1, 2], ["$iothub/twin/res/200/?$rid=1"])


async def test_without_room_the_ack_waits_until_there_is(paho: Any, room: Room, tap: Tap) -> None:
    """In order, each once, and nothing overtakes what is held."""
    room.is_full = True
    paho.deliver(1, INPUTS, b"a")
    room.is_full = False
    paho.deliver(2, INPUTS, b"b")
    assert (room.accepted, paho.acked, tap.held) == ([], [], 2)
    tap.make_room()
    paho.deliver(3, INPUTS, b"c")
    assert (room.accepted, paho.acked, tap.held) == ([b"a", b"b", b"c"], [1, 2, 3], 0)


async def test_room_that_is_made_while_a_message_finds_none_is_not_missed(paho: Any, room: Room, tap: Tap) -> None:
    """Between "full" and the place among the held ones the last place may become free: nobody would call again."""
    room.is_full = True
    paho.deliver(1, f"{INPUTS}", b"a")
    room.is_full = False
    await asyncio.sleep(0)
    assert (room.accepted, paho.acked) == ([b"a"], [1])


async def test_a_held_message_that_comes_again_is_one(
    paho: Any, room: Room, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub lost patience: the ack goes to the new packet id. Without an id it may be another message."""
    room.is_full = True
    for packet_id, topic in enumerate((f"{INPUTS}%24.mid=m1", INPUTS), 1):
        paho.deliver(packet_id, topic)
    monkeypatch.setattr(edge_hub_tap, "SOON", -1.0)
    for packet_id, topic in enumerate((f"{INPUTS}%24.mid=m1", INPUTS), 11):
        paho.deliver(packet_id, topic)
    room.is_full = False
    tap.make_room()
    assert paho.acked == [11, 2, 12]
    assert len(room.accepted) == 3


async def test_no_more_than_twenty_are_held(paho: Any, room: Room, tap: Tap) -> None:
    """The rest stays un-acked: the hub sends it again."""
    room.is_full = True
    for n in range(1, MAX_HELD + 6):
        paho.deliver(n, INPUTS, b"%d" % n)
    assert tap.held == MAX_HELD
    room.is_full = False
    tap.make_room()
    assert paho.acked == list(range(1, MAX_HELD + 1))


async def test_what_is_held_is_forgotten_with_the_connection(paho: Any, room: Room, tap: Tap) -> None:
    """Its packet id means nothing on another one; the hub sends the message again."""
    room.is_full = True
    paho.deliver(1, INPUTS)
    paho.on_disconnect(paho, None, 1)
    room.is_full = False
    tap.make_room()
    assert (room.accepted, paho.acked, tap.held) == ([], [], 0)


async def test_redeliveries_are_looked_for_during_five_minutes(
    paho: Any, room: Room, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After that an equal message is another message; an ack that was held for long begins the time anew."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    paho.deliver(1, INPUTS)
    now += 301
    paho.deliver(2, INPUTS)
    room.is_full = True
    paho.deliver(3, INPUTS)
    now += 11
    room.is_full = False
    tap.make_room()
    paho.deliver(4, INPUTS)
    assert room.asked == [True, False, False, False, True]


async def test_an_error_of_ours_never_reaches_paho(
    paho: Any, tap: Tap, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would end paho's thread without a word. The message is not acked."""

    def broken(*_: object, **__: object) -> Offer:
        raise KeyError("broken")

    tap._offer = broken
    paho.deliver(1, INPUTS)
    assert paho.acked == []
    assert "please report" in caplog.text


async def test_a_tls_error_ends_the_connection_and_not_the_thread(paho: Any, room: Room) -> None:
    """A connection error or "would block" is what paho expects: anything else ends its thread."""

    def cut(_: object) -> None:
        raise OSError("EOF occurred in violation of protocol")

    paho._sock_send = paho._sock_recv = cut
    Tap(sdk_client(paho), room.offer, lambda: None)
    for call in (paho._sock_send, paho._sock_recv):
        with pytest.raises(ConnectionResetError, match="violation"):
            call(b"")


async def test_another_sdk_is_refused(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    """Acking early instead would lose messages silently: the sentence names the versions that fit."""
    with pytest.raises(SettingsError, match=r"install 2\.14\.x or 2\.15\.x"):
        Tap(SimpleNamespace(), room.offer, lambda: None)
    monkeypatch.setattr(edge_hub_tap, "version", lambda _: "3.0.0")
    with pytest.raises(SettingsError, match=r"3\.0\.0"):
        Tap(sdk_client(Paho1()), room.offer, lambda: None)
