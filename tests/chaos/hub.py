"""edgeHub's side of the line: sends inputs as edgeHub does, and writes down everything that it sees.

Nothing here comes from the module's own simulator: a mistake of the one cannot hide a mistake of the other.
"""

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TextIO
from urllib.parse import quote, unquote

from . import packets
from .bodies import Input
from .packets import Packet

DEVICE, MODULE, HOST = "chaos-device", "chaos-module", "chaos.azure-devices.net"
_TOPICS = f"devices/{DEVICE}/modules/{MODULE}"
_EVENTS = f"{_TOPICS}/messages/events/"
_LONG = {"message_id": "$.mid", "correlation_id": "$.cid", "content_type": "$.ct", "content_encoding": "$.ce"}
_REMEMBERED = 150
"""Acks that a hub may forget: the module knows the last 256 messages (docs/delivery.md)."""
_ACK_TIMEOUT = 30.0
"""Seconds until edgeHub sends an un-acked message again on the same connection (`MessageAckTimeoutSecs`)."""


@dataclass
class Delivery:
    """One time that an input was sent."""

    at: float
    connection: int
    acked: float = 0.0


@dataclass
class Output:
    """One message of the module that the hub has stored; ``confirmed``: when its PUBACK left, 0 if it never did."""

    output: str
    body: bytes
    system: dict[str, str]
    properties: dict[str, str]
    connection: int
    at: float
    confirmed: float = 0.0


@dataclass
class Manners:
    """How the hub behaves at present; a fault changes it for a while.

    Attributes:
        refuse: CONNACK's code for the next connections; 0 lets them in.
        deaf: connections are taken, and nothing is ever said on them.
        withhold: outputs are stored and not confirmed.
        delay: seconds from storing an output to its confirmation.
        pace: seconds between two confirmations at least; they leave one after another.
        mark_again: a redelivery has the DUP flag.
        forget_acks: so many acks are forgotten when a connection ends, as by a hub that lost power.
    """

    refuse: int = 0
    deaf: bool = False
    withhold: bool = False
    delay: float = 0.0
    pace: float = 0.0
    mark_again: bool = True
    forget_acks: int = 0


@dataclass
class Record:
    """What happened, in order.

    Attributes:
        deliveries: by place of the input in the order of sending.
        outputs: everything that was stored.
        ends: when connections ended.
    """

    deliveries: list[list[Delivery]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    connections: int = 0
    ends: list[float] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """How many connections are over."""
        return len(self.ends)


class Hub:
    """A hub with one module; its session outlives connections."""

    def __init__(self, inputs: Iterable[Input], window: int, log: TextIO) -> None:
        """Take the inputs in the order of sending, and how many may be un-acked at a time."""
        self.inputs: list[Input] = []
        self.manners = Manners()
        self.record = Record()
        self.window = window
        self._log = log
        self._waiting: deque[int] = deque()
        self._flying: list[int] = []  # sent on this session and not acked, in order
        self._just_acked: deque[int] = deque(maxlen=_REMEMBERED)
        self._line: _Line | None = None
        self._server: asyncio.Server | None = None
        self._began = monotonic()
        self.add(inputs)

    def add(self, inputs: Iterable[Input]) -> None:
        """Queue inputs behind the others."""
        for each in inputs:
            self._waiting.append(len(self.inputs))
            self.inputs.append(each)
            self.record.deliveries.append([])
        self.pump()

    @property
    def all_acked(self) -> bool:
        """Whether nothing waits here any more."""
        return not self._waiting and not self._flying

    @property
    def connected(self) -> bool:
        """Whether the module is connected and has subscribed."""
        return self._line is not None and self._line.listens

    async def start(self, address: str, context: ssl.SSLContext) -> int:
        """Listen with TLS; gives the port, which the line in front of it leads to."""
        self._server = await asyncio.start_server(self._serve, address, 0, ssl=context, ssl_handshake_timeout=20)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.drop()

    def drop(self) -> None:
        """End the connection without a word."""
        if self._line is not None:
            self._line.end("dropped")

    def say(self, what: str) -> None:
        """Write a line into the hub's log."""
        self._log.write(f"{monotonic() - self._began:8.3f} {what}\n")

    def send_raw(self, data: bytes) -> None:
        """Send bytes that are no packet of ours, if the module is connected."""
        if self._line is not None:
            self.say(f"! raw {data[:24].hex()} ({len(data)} B)")
            self._line.write(data)

    def repeat(self, count: int) -> None:
        """Take the last acked messages for un-acked: the next connection gets them again."""
        unacked = sorted({*self._flying, *list(self._just_acked)[-count:]})
        self._flying = unacked[: self.window]
        self._waiting.extendleft(reversed(unacked[self.window :]))

    def pump(self) -> None:
        """Send what may be sent now."""
        line = self._line
        while line is not None and line.listens and self._waiting and len(self._flying) < self.window:
            place = self._waiting.popleft()
            self._flying.append(place)
            line.send(place)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(self, writer)
        cutter = packets.Cutter()
        try:
            while data := await reader.read(65_536):
                for each in cutter.feed(data):
                    line.take(each)
                await writer.drain()
        except (OSError, ssl.SSLError, struct.error, ValueError) as error:
            self.say(f"connection {line.number}: {error!r}")
        finally:
            self._lost(line)
            line.end("over")

    def _accept(self, line: "_Line") -> None:
        if self._line is not None:
            self._line.end("evicted")
            self._lost(self._line)
        self._line = line
        self.record.connections += 1
        line.number = self.record.connections

    def _listens(self, line: "_Line") -> None:
        """Send what is un-acked again, in order, before anything new."""
        if line is self._line and not line.listens:
            line.listens = True
            for place in self._flying:
                line.send(place)
            self.pump()

    def _lost(self, line: "_Line") -> None:
        if line is self._line:
            self._line = None
            self.record.ends.append(monotonic())
            forgotten, self.manners.forget_acks = self.manners.forget_acks, 0
            if forgotten:
                self.repeat(forgotten)

    def _acked(self, place: int, delivery: Delivery) -> None:
        delivery.acked = monotonic()
        if place in self._flying:
            self._flying.remove(place)
            self._just_acked.append(place)
        self.pump()


class _Line:
    """One connection."""

    def __init__(self, hub: Hub, writer: asyncio.StreamWriter) -> None:
        self.number = 0
        self.listens = False
        self._hub, self._writer = hub, writer
        self._numbers: dict[int, tuple[int, Delivery]] = {}
        self._next = 0
        self._free_at = 0.0

    def write(self, data: bytes) -> None:
        """Write, if there is still somebody."""
        if not self._writer.is_closing():
            self._writer.write(data)

    def end(self, why: str) -> None:
        """Close without a word."""
        if not self._writer.is_closing():
            self._hub.say(f"connection {self.number} {why}")
            self._writer.transport.abort()

    def send(self, place: int) -> None:
        """Send an input."""
        before = self._hub.record.deliveries[place]
        self._next = self._next % 65_535 + 1
        delivery = Delivery(monotonic(), self.number)
        given = self._hub.inputs[place]
        again = bool(before) and self._hub.manners.mark_again
        self._numbers[self._next] = (place, delivery)
        self._hub.say(f"> input {place} packet {self._next}{' again' if before else ''}")
        before.append(delivery)
        self.write(packets.publish(_topic(given), self._next, given.body, again=again))
        asyncio.get_running_loop().call_later(_ACK_TIMEOUT, self._late, place, delivery)

    def take(self, received: Packet) -> None:
        """Do what a packet of the module asks for."""
        if self._hub.manners.deaf:
            return
        kind = received.kind
        if kind == packets.CONNECT:
            self._connect(received)
        elif kind == packets.PUBLISH:
            self._publish(received)
        elif kind == packets.PUBACK:
            self._puback(packets.number_of(received))
        elif kind == packets.SUBSCRIBE:
            granted = bytes([1]) * packets.count_of_filters(received)
            self.write(packets.packet(packets.SUBACK, 0, received.content[:2] + granted))
            if f"{_TOPICS}/inputs/".encode() in received.content:
                self._hub._listens(self)
        elif kind == packets.UNSUBSCRIBE:
            self.write(packets.packet(packets.UNSUBACK, 0, received.content[:2]))
        elif kind == packets.PINGREQ:
            self.write(packets.packet(packets.PINGRESP, 0, b""))
        elif kind == packets.DISCONNECT:
            self.end("disconnected by the module")

    def _connect(self, received: Packet) -> None:
        clean, code = bool(received.content[7] & 2), self._hub.manners.refuse
        present = bool(self._hub.record.connections) and not clean
        self._hub.say(f"< CONNECT clean={clean} code={code}")
        self.write(packets.packet(packets.CONNACK, 0, bytes([present and not code, code])))
        if code:
            asyncio.get_running_loop().call_soon(self.end, "refused")
        else:
            self._hub._accept(self)
            if present:  # the subscriptions are the session's
                self._hub._listens(self)

    def _puback(self, number: int) -> None:
        place, delivery = self._numbers.pop(number, (-1, None))
        self._hub.say(f"< ack packet {number} input {place}")
        if delivery is not None:
            self._hub._acked(place, delivery)

    def _late(self, place: int, delivery: Delivery) -> None:
        if not delivery.acked and self._hub._line is self and place in self._hub._flying:
            self.send(place)

    def _publish(self, received: Packet) -> None:
        topic, number, body = packets.published(received)
        if topic.startswith(_EVENTS):
            stored = _output(topic, body, self.number)
            self._hub.record.outputs.append(stored)
            self._hub.say(f"< output {stored.output} {stored.system.get('$.mid', '')[:60]!r} packet {number}")
            self._confirm(stored, number)
            return
        if topic.startswith("$iothub/twin/"):
            self._twin(topic)
        if number:
            self.write(packets.packet(packets.PUBACK, 0, struct.pack("!H", number)))

    def _confirm(self, stored: Output, number: int) -> None:
        manners, now = self._hub.manners, monotonic()
        if manners.withhold:
            return
        leaves = max(now + manners.delay, self._free_at + manners.pace)
        self._free_at = leaves
        if leaves <= now:
            self._confirmed(stored, number)
        else:
            asyncio.get_running_loop().call_later(leaves - now, self._confirmed, stored, number)

    def _confirmed(self, stored: Output, number: int) -> None:
        if not self._hub.manners.deaf and not self._writer.is_closing():
            stored.confirmed = monotonic()
            self.write(packets.packet(packets.PUBACK, 0, struct.pack("!H", number)))

    def _twin(self, topic: str) -> None:
        request = topic.partition("$rid=")[2].partition("&")[0]
        is_read = topic.startswith("$iothub/twin/GET")
        answer = f"$iothub/twin/res/{200 if is_read else 204}/?$rid={request}" + ("" if is_read else "&$version=2")
        self._next = self._next % 65_535 + 1
        body = b'{"desired":{"$version":1},"reported":{"$version":1}}' if is_read else b""
        self.write(packets.publish(answer, self._next, body))


def _topic(given: Input) -> str:
    bag = {_LONG[name]: value for name, value in given.system.items()} | {"$.cdid": "leaf"} | given.properties
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in bag.items())
    return f"{_TOPICS}/inputs/{given.input}/{pairs}"


def _output(topic: str, body: bytes, connection: int) -> Output:
    bag = [pair.partition("=") for pair in topic[len(_EVENTS) :].strip("/").split("&") if pair]
    read = {unquote(name): unquote(value) for name, _, value in bag}
    system = {name: value for name, value in read.items() if name.startswith("$.")}
    properties = {name: value for name, value in read.items() if not name.startswith("$.")}
    return Output(system.get("$.on", ""), body, system, properties, connection, monotonic())
