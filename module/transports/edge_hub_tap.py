"""The tap: input and output messages through the SDK's own paho client.

The SDK acks an input message before its receiver runs and needs 180 to 280 µs of CPU each way. The tap sits on the MQTT
client below it: the inbox has taken charge of a message before the PUBACK leaves, and a message costs a fifth. The
connection, its token, twin and methods stay the SDK's.

The client runs on the event loop (mqtt_on_loop.py), so all of this happens on one thread and needs no lock. Two rules:

* paho's callbacks never wait and never raise: while one waits, nothing is sent or confirmed.
* packet ids of our publishes never reach the SDK's operation manager: it keeps for ever what it does not know.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import structs

from ..errors import SettingsError, UnsendableError
from ..inbox import Inbox
from ..messages import InputMessage, OutputMessage
from .mqtt_on_loop import MqttOnLoop
from .mqtt_packets import PUBACK, PUBLISH, Packet, acked, input_message, output_bag, puback, publish, published

FITTING = ("2.14.", "2.15.")
"""Versions of azure-iot-device whose inside the tap knows."""

MAX_HELD = 20
"""Input messages held without room for them, at most; edgeHub itself sends one at a time."""

AGAIN = 300.0
"""Seconds after a connect, or after a late ack, in which a redelivery is looked for."""

SOON = 10.0
"""Seconds of holding an ack back that no hub's ack time-out is shorter than (edgeHub: 30)."""

_INSTANT_TURNS = 3
"""Turns of the loop within which an instant answer is there: an ack that waits for it leaves in the same write."""

_SETTLE, _MAX_SETTLE = 0.002, 0.05

_USED = ("_mid_generate", "_sock_recv", "_sock_send")
"""What the tap uses of paho that is not public."""

_log = logging.getLogger(__name__)


class _Held(msgspec.Struct):
    """An input message that waits, un-acked, for room in the inbox.

    Attributes:
        message: as it came.
        packet_id: that its ack goes to.
        since: when it came for the first time, time.monotonic().
        last: when it came for the last time.
        dup: the hub says that it may have sent it before.
        is_late: acked when the hub may have stopped waiting for that.
    """

    message: InputMessage
    packet_id: int
    since: float
    last: float
    dup: bool
    is_late: bool = False


class Tap:
    """One connection's input and output messages; dead for good once the connection is lost."""

    def __init__(self, client: Any, inbox: Inbox, lost: Callable[[], None], *, is_instant: bool = False) -> None:
        """Attach to a client of the SDK that is not connected yet.

        Args:
            client: an ``IoTHubModuleClient``.
            inbox: is offered what arrives.
            lost: called on the event loop when the connection ends.
            is_instant: whether answers follow in the same moment, so that acks wait for them.

        Raises:
            SettingsError: the installed SDK is none that the tap knows.
        """
        self._paho, device, module = _inside(client)
        self._offer = inbox.offer
        self._lost = lost
        self._ack_turns = _INSTANT_TURNS if is_instant else 1
        self._loop = asyncio.get_running_loop()
        base = f"devices/{device}/modules/{module}/"
        self._inputs, self._events = f"{base}inputs/".encode(), f"{base}messages/events/"
        self._arrived: list[_Held] = []
        self._held: list[_Held] = []
        self._late: deque[_Held] = deque(maxlen=MAX_HELD)  # the last ones that were held and are acked
        self._again_until = time.monotonic() + AGAIN
        self._is_alive = True
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._confirmed: deque[int] = deque()
        self._settling: asyncio.TimerHandle | None = None
        self._sdk_on_disconnect = self._paho.on_disconnect
        self._paho.on_disconnect = self._on_disconnect
        self._line = MqttOnLoop(self._paho, self)

    @property
    def held(self) -> int:
        """How many input messages wait, un-acked, for room in the inbox."""
        return len(self._held)

    def publish(self, message: OutputMessage, confirmation: asyncio.Future[None] | None = None) -> asyncio.Future[None]:
        """Send an output message at QoS 1; the future stays open if the connection is lost first.

        It fails with an UnsendableError if no connection can carry the message.
        """
        confirmation = confirmation or self._loop.create_future()
        if not self._is_alive:
            return confirmation
        while (packet_id := self._paho._mid_generate()) in self._unconfirmed:
            pass
        try:
            packet = publish(self._events + output_bag(message), message.body, packet_id)
        except ValueError as error:  # a topic with all its properties has room for 65,535 bytes
            confirmation.set_exception(UnsendableError(f"a message cannot be sent: {error}"))
            return confirmation
        self._line.write(packet)
        self._unconfirmed[packet_id] = confirmation
        if self._settling is None:
            self._settling = self._loop.call_later(_SETTLE, self._settle, _SETTLE)
        return confirmation

    def make_room(self) -> None:
        """Offer the held messages again, in order, and ack those that are accepted."""
        if not self._held:
            return
        now, accepted = time.monotonic(), self._try(self._held)
        for each in self._held[:accepted]:
            self._late.append(structs.replace(each, is_late=now - each.since > SOON, last=now))
        del self._held[:accepted]

    def take(self, data: bytes, start: int, packet: Packet) -> bool:
        """Take an input message, or the PUBACK of an output message; everything else is the SDK's."""
        if packet.kind == PUBACK and (packet_id := acked(data, packet)) in self._unconfirmed:
            self._confirmed.append(packet_id)
            return True
        if packet.kind != PUBLISH or not data.startswith(self._inputs, packet.body + 2):
            return False
        arrived, now = published(data, start, packet), time.monotonic()
        message = input_message(arrived.topic, arrived.body)
        self._arrived.append(_Held(message, arrived.packet_id, now, now, arrived.dup))
        return True

    def taken(self) -> None:
        """Offer what has arrived, all of it together, and ack what is accepted."""
        arrived, self._arrived = self._arrived, []
        if self._held or self._late:
            arrived = [each for each in arrived if not self._is_again(each)]
        if not arrived:
            return
        accepted = 0
        try:
            accepted = 0 if self._held else self._try(arrived)
        except Exception:
            _log.exception("input messages are not taken after an error of ours: please report this")
            return
        for each in arrived[accepted:]:
            self._hold(each)

    def _try(self, arrived: Sequence[_Held]) -> int:
        """Offer messages and ack the first ones, for which there is room; gives how many."""
        maybe_again = time.monotonic() < self._again_until
        accepted = self._offer([each.message for each in arrived], maybe_again=maybe_again)
        for each in arrived[:accepted]:
            if each.packet_id:
                self._line.write(puback(each.packet_id), self._ack_turns)
        return accepted

    def _hold(self, arrived: _Held) -> None:
        """Keep a message, un-acked, until there is room."""
        if len(self._held) < MAX_HELD:
            self._held.append(arrived)
            self._loop.call_soon(self.make_room)  # room that came between the offer and now was told to nobody
        else:
            _log.warning("more than %d input messages wait without room: one is left to its redelivery", MAX_HELD)

    def _is_again(self, arrived: _Held) -> bool:
        """Say whether the hub lost patience with a message and sends it again on this connection; see to its ack.

        The packet id of a held message is not free for another one. Else the hub must have had the time to lose
        patience, and an id or the DUP flag must say that equal content is no accident: a sensor may send one value
        twice.
        """
        equal = [held for held in self._held if held.message == arrived.message]
        again = next((held for held in equal if arrived.packet_id and held.packet_id == arrived.packet_id), None)
        if again is None and _is_marked(arrived):
            again = next((held for held in equal if arrived.since - held.last > SOON), None)
        if again is None:
            return self._came_late(arrived)
        again.packet_id, again.last = arrived.packet_id, arrived.since
        return True

    def _came_late(self, arrived: _Held) -> bool:
        """Say whether it was accepted when the hub had already decided to send it again, once for each; ack it."""
        while self._late and arrived.since - self._late[0].last > AGAIN:
            self._late.popleft()
        for late in self._late:
            is_copy = arrived.dup and arrived.packet_id == late.packet_id
            if (is_copy or (late.is_late and _is_marked(arrived))) and late.message == arrived.message:
                self._late.remove(late)
                self._line.write(puback(arrived.packet_id))
                return True
        return False

    def _settle(self, pause: float) -> None:
        """Settle what has been confirmed, and look again later while anything is not.

        No message waits for its confirmation, so nobody is woken for one: groups cost a fraction.
        """
        pause = _SETTLE if self._confirmed else min(2 * pause, _MAX_SETTLE)
        while self._confirmed:
            confirmation = self._unconfirmed.pop(self._confirmed.popleft(), None)
            if confirmation is not None and not confirmation.done():
                confirmation.set_result(None)
        self._settling = self._loop.call_later(pause, self._settle, pause) if self._unconfirmed else None

    def _on_disconnect(self, paho: Any, userdata: Any, code: Any) -> None:
        self._arrived.clear()
        self._held.clear()  # the hub sends them again; their packet ids mean nothing on another connection
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._end)
        self._sdk_on_disconnect(paho, userdata, code)

    def _end(self) -> None:
        if not self._is_alive:
            return
        self._is_alive = False
        self._settle(_SETTLE)
        if self._settling is not None:
            self._settling.cancel()
        self._unconfirmed.clear()
        self._lost()


def _is_marked(arrived: _Held) -> bool:
    return bool(arrived.packet_id) and (arrived.dup or "message_id" in arrived.message.system)


def _inside(client: Any) -> tuple[Any, str, str]:
    """Give the SDK's paho client, the device id and the module id."""
    installed = version("azure-iot-device")
    try:
        stage = client._mqtt_pipeline._pipeline
        configuration = stage.nucleus.pipeline_configuration
        while not hasattr(stage, "transport"):
            stage = stage.next
        paho = stage.transport._mqtt_client
        fits = installed.startswith(FITTING) and all(hasattr(paho, name) for name in _USED)
    except AttributeError:
        fits = False
    if not fits:
        known = " or ".join(f"{known}x" for known in FITTING)
        raise SettingsError(f"azure-iot-device {installed} is installed, which does not fit: install {known}")
    return paho, configuration.device_id, configuration.module_id
