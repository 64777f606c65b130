"""The MQTT 3.1.1 packets that a hub needs, written from the specification (docs.oasis-open.org/mqtt/mqtt/v3.1.1)."""

import struct
from typing import NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 1, 2, 3, 4, 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


class Packet(NamedTuple):
    """One packet: its kind, the four flags of its first byte, and what follows the length."""

    kind: int
    flags: int
    content: bytes


class Published(NamedTuple):
    """What a PUBLISH says; ``number`` is 0 at QoS 0."""

    topic: str
    number: int
    body: bytes


class Cutter:
    """Cuts a stream of bytes into packets (section 2.2)."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Give the packets that are complete now."""
        self._waiting += data
        found = []
        while (packet := self._next()) is not None:
            found.append(packet)
        return found

    def _next(self) -> Packet | None:
        length = shift = 0
        for place in range(1, 5):
            if len(self._waiting) <= place:
                return None
            byte = self._waiting[place]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        end = place + 1 + length
        if len(self._waiting) < end:
            return None
        first, content = self._waiting[0], bytes(self._waiting[place + 1 : end])
        del self._waiting[:end]
        return Packet(first >> 4, first & 15, content)


def packet(kind: int, flags: int, content: bytes) -> bytes:
    """Give the bytes of a packet."""
    length, head = len(content), bytearray([kind << 4 | flags])
    while True:
        length, low = length >> 7, length & 0x7F
        head.append(low | (0x80 if length else 0))
        if not length:
            return bytes(head) + content


def text(value: str) -> bytes:
    """Give a text with its length before it (section 1.5.3)."""
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


def publish(topic: str, number: int, body: bytes, *, again: bool = False) -> bytes:
    """Give a PUBLISH at QoS 1."""
    return packet(PUBLISH, 0x0A if again else 0x02, text(topic) + struct.pack("!H", number) + body)


def published(received: Packet) -> Published:
    """Read a PUBLISH."""
    (size,) = struct.unpack_from("!H", received.content)
    topic, rest = received.content[2 : 2 + size].decode(), received.content[2 + size :]
    if not received.flags & 0x06:
        return Published(topic, 0, rest)
    return Published(topic, struct.unpack_from("!H", rest)[0], rest[2:])


def number_of(received: Packet) -> int:
    """Give the packet identifier with which PUBACK, SUBSCRIBE and UNSUBSCRIBE begin."""
    return int(struct.unpack_from("!H", received.content)[0])


def count_of_filters(received: Packet) -> int:
    """Give how many topic filters a SUBSCRIBE names."""
    place, count = 2, 0
    while place < len(received.content):
        place += 3 + int(struct.unpack_from("!H", received.content, place)[0])
        count += 1
    return count
