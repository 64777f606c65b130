"""The MQTT 3.1.1 packets that edgeHub speaks, without any input or output: bytes in, packets out and back.

Source: the OASIS MQTT 3.1.1 standard, sections 2 and 3. QoS 0 and 1; QoS 2 is a ProtocolError, as in edgeHub.
"""

import struct
from collections.abc import Callable
from typing import Final

import msgspec

from ...errors import ModuleError
from ...transports import mqtt_packets
from ...transports.mqtt_packets import PUBACK, PUBLISH, Publish, header, next_packet

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


def suback(packet_id: int, granted: list[int]) -> bytes:
    """Encode a SUBACK; a granted QoS or SUBACK_FAILURE for each filter."""
    return header(0x90, 2 + len(granted)) + _SHORT.pack(packet_id) + bytes(granted)


def unsuback(packet_id: int) -> bytes:
    """Encode an UNSUBACK."""
    return b"\xb0\x02" + _SHORT.pack(packet_id)


class Decoder:
    """Cuts a byte stream into packets; keeps at most one unfinished packet of ``max_size`` bytes."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._part = b""

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes as they arrived and give the packets that are complete.

        Raises:
            ProtocolError: malformed, of a kind that only a server sends, or its remaining length is over ``max_size``.
        """
        data = self._part + data
        packets: list[Packet] = []
        start = 0
        try:
            while (frame := next_packet(data, start, self._max_size)) is not None:
                packets.append(_decode(data, start, frame))
                start = frame.end
        except (ValueError, IndexError, struct.error) as error:
            raise ProtocolError(f"this is no MQTT 3.1.1 of a client: {error}") from error
        self._part = data[start:]
        return packets


def _decode(data: bytes, start: int, frame: mqtt_packets.Packet) -> Packet:
    if frame.kind == PUBLISH:
        return mqtt_packets.published(data, start, frame, errors="strict")
    if frame.kind == PUBACK:
        return PubAck(mqtt_packets.acked(data, frame))
    if frame.kind not in _DECODERS:
        raise ValueError(f"a packet of kind {frame.kind}")
    return _DECODERS[frame.kind](data[frame.body : frame.end])


def _connect(body: bytes) -> Connect:
    name, at = _text(body, 0)
    if name != "MQTT":
        raise ValueError(f"the protocol is {name!r}")
    level, flags = body[at], body[at + 1]
    keep_alive = _SHORT.unpack_from(body, at + 2)[0]
    client_id, at = _text(body, at + 4)
    if flags & 0x04:
        _, at = _text(body, at, encoding="latin-1")
        _, at = _text(body, at, encoding="latin-1")
    user_name, at = _text(body, at) if flags & 0x80 else ("", at)
    password, at = _text(body, at) if flags & 0x40 else ("", at)
    return Connect(client_id, user_name, password, bool(flags & 0x02), keep_alive, level)


def _subscription(body: bytes, *, with_qos: bool) -> Subscribe | Unsubscribe:
    """Read a SUBSCRIBE, or without a QoS for each filter an UNSUBSCRIBE."""
    filters, at = [], 2
    while at < len(body):
        text, at = _text(body, at)
        filters.append((text, body[at] if with_qos else 0))
        at += with_qos
    packet_id = _SHORT.unpack_from(body)[0]
    return Subscribe(packet_id, filters) if with_qos else Unsubscribe(packet_id, [text for text, _ in filters])


def _text(body: bytes, at: int, encoding: str = "utf-8") -> tuple[str, int]:
    end = at + 2 + int(_SHORT.unpack_from(body, at)[0])
    if end > len(body):
        raise IndexError(f"text ends at {end} of {len(body)} bytes")
    return body[at + 2 : end].decode(encoding), end


_DECODERS: dict[int, Callable[[bytes], Packet]] = {
    1: _connect,
    8: lambda body: _subscription(body, with_qos=True),
    10: lambda body: _subscription(body, with_qos=False),
    12: lambda _: PingRequest(),
    14: lambda _: Disconnect(),
}
