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
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import msgspec

from ..errors import SettingsError, TransportError
from ..messages import InputMessage, Offer, Offering, OutputMessage
from .mqtt_on_loop import MqttOnLoop
from .topics import input_message, output_bag

FITTING = ("2.14.", "2.15.")
"""Versions of azure-iot-device whose inside the tap knows."""

MAX_HELD = 20
"""Input messages held without room for them, at most; edgeHub itself sends one at a time."""

AGAIN = 300.0
"""Seconds after a connect or an ack time-out in which a redelivery is looked for."""

SOON = 10.0
"""Seconds of holding an ack back that no hub's ack time-out is shorter than (edgeHub: 30)."""

_SETTLE, _MAX_SETTLE = 0.002, 0.05

_USED = ("_out_messages", "_send_puback", "_sock_recv", "_sock_send")
"""What the tap uses of paho that is not public."""

_log = logging.getLogger(__name__)


class _Held(msgspec.Struct):
    """An input message that waits, un-acked, for room in the inbox."""

    message: InputMessage
    packet_id: int
    since: float


class Tap:
    """One connection's input and output messages; dead for good once the connection is lost."""

    def __init__(self, client: Any, offer: Offering, lost: Callable[[], None]) -> None:
        """Attach to a client of the SDK that is not connected yet.

        Args:
            client: an ``IoTHubModuleClient``.
            offer: the inbox's; called on the event loop.
            lost: called on the event loop when the connection ends.

        Raises:
            SettingsError: the installed SDK is none that the tap knows.
        """
        self._paho, device, module = _inside(client)
        self._offer = offer
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        base = f"devices/{device}/modules/{module}/"
        self._inputs, self._events = f"{base}inputs/", f"{base}messages/events/"
        self._held: deque[_Held] = deque()
        self._withheld = 0
        self._again_until = time.monotonic() + AGAIN
        self._is_alive = True
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._confirmed: deque[int] = deque()
        self._settling: asyncio.TimerHandle | None = None
        self._attach()

    def _attach(self) -> None:
        paho = self._paho
        self._sdk_on_message, self._sdk_on_publish = paho.on_message, paho.on_publish
        self._sdk_on_disconnect = paho.on_disconnect
        paho.on_message, paho.on_publish, paho.on_disconnect = self._on_message, self._on_publish, self._on_disconnect
        MqttOnLoop(paho)
        paho.max_inflight_messages_set(0)  # the pipeline bounds what is unconfirmed
        if hasattr(paho, "manual_ack_set"):
            paho.manual_ack_set(True)
            self._ack: Callable[[int], object] = lambda packet_id: paho.ack(packet_id, 1)
        else:
            self._ack = send_puback = paho._send_puback
            # paho 1.6 acks by itself when on_message has returned: leave out the one that is held.
            paho._send_puback = lambda packet_id: 0 if packet_id == self._withheld else send_puback(packet_id)

    @property
    def held(self) -> int:
        """How many input messages wait, un-acked, for room in the inbox."""
        return len(self._held)

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Send an output message at QoS 1; on the event loop. The future fails when the connection is lost first."""
        confirmation: asyncio.Future[None] = self._loop.create_future()
        if not self._is_alive:
            confirmation.set_exception(TransportError("the connection to edgeHub is lost"))
            return confirmation
        packet_id = self._paho.publish(self._events + output_bag(message), message.body, 1).mid
        self._unconfirmed[packet_id] = confirmation
        if self._settling is None:
            self._settling = self._loop.call_later(_SETTLE, self._settle, _SETTLE)
        return confirmation

    def make_room(self) -> None:
        """Offer the held messages again, in order, and ack those that are accepted."""
        while self._held and self._try(self._held[0].message):
            held = self._held.popleft()
            self._ack(held.packet_id)
            if time.monotonic() - held.since > SOON:
                self._again_until = time.monotonic() + AGAIN  # the hub may have stopped waiting for the ack

    def _on_message(self, paho: Any, userdata: Any, packet: Any) -> None:
        """Take an input message; everything else is the SDK's."""
        if not packet.topic.startswith(self._inputs):
            self._sdk_on_message(paho, userdata, packet)
            is_accepted = True
        else:
            try:
                is_accepted = self._accept(packet)
            except Exception:
                _log.exception("an input message is not taken after an error of ours: please report this")
                is_accepted = False
        if hasattr(paho, "manual_ack_set"):
            if is_accepted and packet.qos:
                self._ack(packet.mid)
        else:
            self._withheld = 0 if is_accepted else packet.mid

    def _accept(self, packet: Any) -> bool:
        message = input_message(packet.topic, bytes(packet.payload))
        if not self._held and self._try(message):
            return True
        now = time.monotonic()
        if again := next((held for held in self._held if _is_again(held, message, now)), None):
            again.packet_id = packet.mid
        elif len(self._held) < MAX_HELD:
            self._held.append(_Held(message, packet.mid, now))
            self._loop.call_soon(self.make_room)  # room that came between the offer and now was told to nobody
        else:
            _log.warning("more than %d input messages wait without room: one is left to its redelivery", MAX_HELD)
        return False

    def _try(self, message: InputMessage) -> bool:
        return self._offer(message, maybe_again=time.monotonic() < self._again_until) is not Offer.FULL

    def _on_publish(self, paho: Any, userdata: Any, packet_id: int) -> None:
        """Note a PUBACK of ours; all others are the SDK's."""
        sent = paho._out_messages.get(packet_id)
        if sent is None or not sent.topic.startswith(self._events):
            self._sdk_on_publish(paho, userdata, packet_id)
            return
        self._confirmed.append(packet_id)

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
        self._held.clear()  # the hub sends them again; their packet ids mean nothing on another connection
        self._call_soon(self._end)
        self._sdk_on_disconnect(paho, userdata, code)

    def _end(self) -> None:
        if not self._is_alive:
            return
        self._is_alive = False
        self._settle(_SETTLE)
        if self._settling is not None:
            self._settling.cancel()
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for confirmation in unconfirmed.values():
            if not confirmation.done():
                confirmation.set_exception(TransportError("the connection to edgeHub was lost"))
        self._lost()

    def _call_soon(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            _log.debug("the event loop is closed: a callback of the MQTT client is dropped")


def _is_again(held: _Held, message: InputMessage, now: float) -> bool:
    """Say whether the hub has lost patience with a held message and sends it again."""
    return now - held.since > SOON and "message_id" in message.system and held.message == message


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
