"""A tap with a stand-in for paho, and a socket of which a test says what it gives and takes."""

import asyncio
from collections.abc import Iterator, Sequence
from ssl import SSLWantReadError
from types import SimpleNamespace
from typing import Any

from module.messages import InputMessage
from module.transports import mqtt_packets
from module.transports.mqtt_packets import next_packet

INPUTS = "devices/d/modules/m/inputs/amlInput/"


class Socket:
    """A TLS socket that does not block: one record a call."""

    def __init__(self) -> None:
        self.records: list[bytes | Exception] = []
        self.sent = b""
        self.takes = 1 << 20
        self.is_closed = False

    def recv(self, size: int) -> bytes:
        """Give the next record."""
        if not self.records:
            raise SSLWantReadError
        if isinstance(record := self.records.pop(0), Exception):
            raise record
        return record

    def send(self, data: bytes) -> int:
        """Take what there is room for."""
        if not self.takes:
            raise BlockingIOError
        self.sent += data[: self.takes]
        return min(len(data), self.takes)

    def close(self) -> None:
        """Be gone."""
        self.is_closed = True

    def setsockopt(self, *_: int) -> None:
        """Not of interest."""


class Paho:
    """What is left to paho: packets that are not the tap's, and the end of the connection."""

    def __init__(self) -> None:
        self.line: Socket | None = Socket()
        self.seen = b""
        self.ended = 0
        self.on_disconnect = lambda *_: None
        self._sock_send: Any = None
        self._sock_recv: Any = None
        self._ids = 0

    def socket(self) -> Socket | None:
        """Give the socket while there is one."""
        return self.line

    def loop_read(self) -> None:
        """Read one byte, then the rest, as paho does."""
        first = self._sock_recv(1)
        self.seen += first + (self._sock_recv(1 << 16) if first else b"")
        if not first:
            self.ended += 1
            self.on_disconnect(self, None, 7)
            self.on_socket_close()

    def loop_write(self) -> None:
        """Nothing is queued."""

    def loop_misc(self) -> None:
        """Nothing is late."""

    def _mid_generate(self) -> int:
        self._ids = self._ids % 3 + 1
        return self._ids


class Room:
    """An inbox of which a test says for how many it has room."""

    def __init__(self) -> None:
        self.left = 1000
        self.accepted: list[bytes] = []
        self.asked: list[bool] = []
        self.groups: list[int] = []

    def offer(self, messages: Sequence[InputMessage], *, maybe_again: bool = False) -> int:
        """Take the first messages, as far as there is room."""
        self.asked.append(maybe_again)
        self.groups.append(len(messages))
        accepted = messages[: self.left]
        self.left -= len(accepted)
        self.accepted += [message.body for message in accepted]
        return len(accepted)


class Line:
    """The hub's side: sends packets, and sees the PUBACKs."""

    def __init__(self, paho: Any) -> None:
        self.paho = paho
        self.socket: Socket = paho.line

    async def deliver(self, *packets: bytes) -> None:
        """Let packets arrive, each in a TLS record of its own, and the loop turn."""
        self.socket.records += packets
        self.paho.read()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @property
    def acked(self) -> list[int]:
        """The packet ids of all PUBACKs."""
        acks = [packet for packet in cut(self.socket.sent) if packet[0] == 0x40]
        return [int.from_bytes(ack[2:]) for ack in acks]


def cut(data: bytes) -> Iterator[bytes]:
    """Give the packets."""
    start = 0
    while packet := next_packet(data, start):
        yield data[start : packet.end]
        start = packet.end


def telemetry(packet_id: int, body: bytes = b"1", topic: str = INPUTS, *, dup: bool = False) -> bytes:
    """Give the packet of an input message."""
    packet = mqtt_packets.publish(topic, body, packet_id)
    return bytes((packet[0] | 0x08, *packet[1:])) if dup else packet


def sdk_client(paho: Any) -> Any:
    """Give something built as the SDK's client is."""
    stage = SimpleNamespace(
        transport=SimpleNamespace(_mqtt_client=paho),
        nucleus=SimpleNamespace(pipeline_configuration=SimpleNamespace(device_id="d", module_id="m")),
    )
    return SimpleNamespace(_mqtt_pipeline=SimpleNamespace(_pipeline=stage))
