"""The MQTT 3.1.1 packets that edgeHub speaks, without any input or output: bytes in, packets out and back.

Source: the OASIS MQTT 3.1.1 standard, sections 2 and 3. QoS 0 and 1; QoS 2 is a ProtocolError, as in edgeHub.
"""

import struct
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from ...errors import ModuleError

CONNACK_REFUSED_PROTOCOL: Final = 1
CONNACK_NOT_AUTHORIZED: Final = 5
SUBACK_FAILURE: Final = 0x80

_SHORT = struct.Struct("!H")


class ProtocolError(ModuleError):
    """A client sent what MQTT 3.1.1 does not allow, or more than the hub takes: close the connection."""


class Connect(msgspec.Struct, frozen=True):
    """CONNECT; ``level`` is 4 for MQTT 3.1.1, ``keep_alive`` in seconds (0: none)."""

    client_id: str
    user_name: str
    password: str
    clean_session: bool
    keep_alive: int
    level: int


class Publish(msgspec.Struct, frozen=True):
    """PUBLISH; ``packet_id`` is 0 at QoS 0."""

    topic: str
    body: bytes
    packet_id: int = 0
    dup: bool = False


class PubAck(msgspec.Struct, frozen=True):
    """PUBACK."""

    packet_id: int


class Subscribe(msgspec.Struct, frozen=True):
    """SUBSCRIBE; ``filters`` are topic filters with the QoS asked for."""

    packet_id: int
    filters: list[tuple[str, int]]


class Unsubscribe(msgspec.Struct, frozen=True):
    """UNSUBSCRIBE."""

    packet_id: int
    filters: list[str]


class PingRequest(msgspec.Struct, frozen=True):
    """PINGREQ."""


class Disconnect(msgspec.Struct, frozen=True):
    """DISCONNECT."""


Packet = Connect | Publish | PubAck | Subscribe | Unsubscribe | PingRequest | Disconnect

PINGRESP: Final = b"\xd0\x00"


def connack(code: int, *, session_present: bool = False) -> bytes:
    """Encode a CONNACK; code 0 accepts."""
    return bytes((0x20, 2, session_present, code))


def publish(topic: bytes, body: bytes, packet_id: int, *, dup: bool = False) -> bytes:
    """Encode a PUBLISH at QoS 1."""
    head = b"\x3a" if dup else b"\x32"
    length = _length(len(topic) + len(body) + 4)
    return b"".join((head, length, _SHORT.pack(len(topic)), topic, _SHORT.pack(packet_id), body))


def puback(packet_id: int) -> bytes:
    """Encode a PUBACK."""
    return b"\x40\x02" + _SHORT.pack(packet_id)


def suback(packet_id: int, granted: list[int]) -> bytes:
    """Encode a SUBACK; a granted QoS or SUBACK_FAILURE for each filter."""
    return b"\x90" + _length(2 + len(granted)) + _SHORT.pack(packet_id) + bytes(granted)


def unsuback(packet_id: int) -> bytes:
    """Encode an UNSUBACK."""
    return b"\xb0\x02" + _SHORT.pack(packet_id)


class Decoder:
    """Cuts a byte stream into packets; keeps at most one unfinished packet of ``max_size`` bytes."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes as they arrived and give the packets that are complete.

        Raises:
            ProtocolError: malformed, of a kind that only a server sends, or its remaining length is over ``max_size``.
        """
        buffer = self._buffer
        buffer += data
        packets: list[Packet] = []
        start = 0
        while (frame := self._frame(start)) is not None:
            body_at, end = frame
            packets.append(_decode(buffer[start], bytes(buffer[body_at:end])))
            start = end
        del buffer[:start]
        return packets

    def _frame(self, start: int) -> tuple[int, int] | None:
        """Give where the next packet's body begins and ends, None while it is not complete."""
        length = 0
        for index in range(4):
            at = start + 1 + index
            if at >= len(self._buffer):
                return None
            length |= (self._buffer[at] & 0x7F) << (7 * index)
            if self._buffer[at] < 0x80:
                if length > self._max_size:
                    raise ProtocolError(f"a packet of {length} bytes is over the limit of {self._max_size}")
                return (at + 1, at + 1 + length) if at + 1 + length <= len(self._buffer) else None
        raise ProtocolError("a packet's length has more than four bytes")


def _decode(head: int, body: bytes) -> Packet:
    kind = head >> 4
    if kind == 3:
        decode: Callable[[bytes], Packet] = partial(_publish, head)
    elif kind in _DECODERS:
        decode = _DECODERS[kind]
    else:
        raise ProtocolError(f"a client must not send a packet of kind {kind}")
    try:
        return decode(body)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a packet of kind {kind} is malformed: {error}") from error


def _publish(head: int, body: bytes) -> Publish:
    qos = (head >> 1) & 3
    if qos > 1:
        raise ProtocolError(f"a PUBLISH with QoS {qos} is not supported")
    topic, at = _text(body, 0)
    if qos == 0:
        return Publish(topic, body[at:])
    return Publish(topic, body[at + 2 :], _SHORT.unpack_from(body, at)[0], bool(head & 8))


def _connect(body: bytes) -> Connect:
    name, at = _text(body, 0)
    if name != "MQTT":
        raise ProtocolError(f"the protocol {name!r} is not MQTT 3.1.1")
    level, flags = body[at], body[at + 1]
    keep_alive = _SHORT.unpack_from(body, at + 2)[0]
    client_id, at = _text(body, at + 4)
    if flags & 0x04:
        _, at = _text(body, at, encoding="latin-1")
        _, at = _text(body, at, encoding="latin-1")
    user_name, at = _text(body, at) if flags & 0x80 else ("", at)
    password, at = _text(body, at) if flags & 0x40 else ("", at)
    return Connect(client_id, user_name, password, bool(flags & 0x02), keep_alive, level)


def _subscribe(body: bytes) -> Subscribe:
    filters, at = [], 2
    while at < len(body):
        text, at = _text(body, at)
        filters.append((text, body[at]))
        at += 1
    return Subscribe(_SHORT.unpack_from(body)[0], filters)


def _unsubscribe(body: bytes) -> Unsubscribe:
    filters, at = [], 2
    while at < len(body):
        text, at = _text(body, at)
        filters.append(text)
    return Unsubscribe(_SHORT.unpack_from(body)[0], filters)


def _text(body: bytes, at: int, encoding: str = "utf-8") -> tuple[str, int]:
    end = at + 2 + int(_SHORT.unpack_from(body, at)[0])
    if end > len(body):
        raise IndexError(f"text ends at {end} of {len(body)} bytes")
    return body[at + 2 : end].decode(encoding), end


def _length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        encoded.append(low | 0x80 if length else low)
        if not length:
            return bytes(encoded)


_DECODERS: dict[int, Callable[[bytes], Packet]] = {
    1: _connect,
    4: lambda body: PubAck(_SHORT.unpack(body)[0]),
    8: _subscribe,
    10: _unsubscribe,
    12: lambda _: PingRequest(),
    14: lambda _: Disconnect(),
}
