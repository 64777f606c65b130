"""MQTT's frame, the three packets of every message as bytes: PUBLISH both ways and PUBACK, QoS 1; and its topics.

Properties ride in the topic as a url-encoded bag. Sources: MQTT 3.1.1, sections 2.2, 3.3 and 3.4; iotedge ``edge-hub``
topic templates and the SDK's ``mqtt_topic_iothub.py``. All other packets the module leaves to paho; the local edgeHub
knows them.
"""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from ..messages import InputMessage, OutputMessage
from ..property_bag import SENDER, SYSTEM_PROPERTIES, decode_bag, encode_bag

PUBLISH, PUBACK = 3, 4

MAX_TOPIC = 65_535
"""Bytes of a topic at most."""

_PUBLISH_QOS1 = 0x32
_DUP, _QOS, _QOS1 = 0x08, 0x06, 0x02
_MAX_LENGTH_BYTES = 4
MAX_PACKET = 1 << 20
"""Bytes of a packet that is taken; edgeHub's largest has 262,144 of message, a whole twin fewer."""

_SENT = {name: key for key, name in SYSTEM_PROPERTIES.items() if name not in SENDER}
_unquoted = lru_cache(1024)(unquote)


class Packet(NamedTuple):
    """Where a packet lies in what was received: its kind, the offset of what follows the header, and of its end."""

    kind: int
    body: int
    end: int


class Publish(NamedTuple):
    """What a PUBLISH carries; without a packet id (QoS 0) nothing is to be acked; ``dup``: it may have come before."""

    topic: str
    body: bytes
    packet_id: int = 0
    dup: bool = False


def next_packet(data: bytes, start: int, limit: int = MAX_PACKET) -> Packet | None:
    """Find the packet that begins at ``start``; None if it is not whole yet.

    Raises:
        ValueError: this cannot be a packet, or it has more than ``limit`` bytes after its header.
    """
    length = shift = 0
    for position in range(start + 1, min(start + 1 + _MAX_LENGTH_BYTES, len(data))):
        byte = data[position]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if length > limit:
                raise ValueError(f"a packet of {length:,} bytes, of {limit:,} at most")
            end = position + 1 + length
            return Packet(data[start] >> 4, position + 1, end) if end <= len(data) else None
        shift += 7
    if len(data) > start + _MAX_LENGTH_BYTES:
        raise ValueError("the length of an MQTT packet has more than four bytes")
    return None


def published(data: bytes, start: int, packet: Packet, errors: str = "replace") -> Publish:
    """Read the PUBLISH that begins at ``start``, of QoS 0 or 1: no other is subscribed to.

    Args:
        data: what was received.
        start: where the packet begins.
        packet: where its parts are.
        errors: what is done with a topic that is no UTF-8, as in ``bytes.decode``.

    Raises:
        ValueError: it is none.
    """
    topic, flags = packet.body + 2, data[start]
    end = topic + int.from_bytes(data[packet.body : topic])
    body = end + 2 if (qos := flags & _QOS) else end
    if qos & ~_QOS1 or body > packet.end:
        raise ValueError("a PUBLISH whose parts do not fit together")
    name, packet_id = data[topic:end].decode(errors=errors), int.from_bytes(data[end:body])
    return Publish(name, data[body : packet.end], packet_id, flags & _DUP != 0)


def acked(data: bytes, packet: Packet) -> int:
    """Read the packet id of a PUBACK.

    Raises:
        ValueError: it has none.
    """
    if packet.end != packet.body + 2:
        raise ValueError("a PUBACK without a packet id")
    return int.from_bytes(data[packet.body : packet.end])


def header(first: int, length: int) -> bytes:
    """Give a packet's header: its first byte, and how many bytes follow."""
    encoded = bytearray((first,))
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def publish(topic: str, body: bytes, packet_id: int, *, dup: bool = False) -> bytes:
    """Give a PUBLISH at QoS 1; ``dup`` says that it may have been sent before.

    Raises:
        ValueError: the topic is too long.
    """
    name = topic.encode()
    if len(name) > MAX_TOPIC:
        raise ValueError(f"its topic with all properties has {len(name)} bytes, of {MAX_TOPIC} at most")
    head = header(_PUBLISH_QOS1 | _DUP if dup else _PUBLISH_QOS1, len(name) + len(body) + 4)
    return b"".join((head, len(name).to_bytes(2), name, packet_id.to_bytes(2), body))


def puback(packet_id: int) -> bytes:
    """Give a PUBACK."""
    return b"\x40\x02" + packet_id.to_bytes(2)


def input_message(topic: str, body: bytes) -> InputMessage:
    """Read ``devices/{device}/modules/{module}/inputs/{input}/{properties}``; system properties get long names."""
    parts = topic.split("/", 6)
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    for key, value in decode_bag(parts[6]) if len(parts) > 6 else ():
        if key.startswith("$."):
            if key in SYSTEM_PROPERTIES:
                system[SYSTEM_PROPERTIES[key]] = value
        elif key:
            properties[key] = value
    return InputMessage(body, _unquoted(parts[5]), system, properties)


def output_bag(message: OutputMessage) -> str:
    """Give the property bag that follows ``devices/{device}/modules/{module}/messages/events/``."""
    system = {_SENT[name]: value for name, value in message.system.items() if name in _SENT}
    return encode_bag({"$.on": message.output, **system, **message.properties})
