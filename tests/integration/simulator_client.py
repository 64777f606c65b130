"""A module made of bytes: an MQTT client that acks only when it is told to, and addresses to listen at."""

import asyncio
import itertools
import os
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from typing import Self
from urllib.parse import quote

from module.messages import InputMessage
from module.simulator.edge_hub import packets, sas
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.edge_hub.packets import Decoder
from module.transports.mqtt_packets import Publish, header

TOPICS = "devices/edge-device/modules/scoring"
INPUTS = f"{TOPICS}/inputs/#"
EVENTS = f"{TOPICS}/messages/events/"


def addresses(group: int) -> Iterator[str]:
    """Give loopback addresses that no other test process uses; a group for each test file."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return (f"127.{10 + process}.{group}.{number}" for number in itertools.count(1))


def telemetry(number: int, **properties: str) -> InputMessage:
    """Give a small message with an id."""
    system = {"message_id": f"m{number}", "content_type": "application/json", "content_encoding": "utf-8"}
    return InputMessage(b'{"n": %d}' % number, "", system=system, properties=properties)


async def until(condition: Callable[[], bool], limit: float = 10.0) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - the hub has no event for everything
            await asyncio.sleep(0.01)


def token(hub: EdgeHub, lifetime: float = 3600.0) -> str:
    """Give a token that opens the hub."""
    uri = quote(f"simulated.azure-devices.net/{TOPICS}", safe="")
    expiry = int(time.time() + lifetime)
    signature = quote(sas.sign(hub.key, f"{uri}\n{expiry}".encode()), safe="")
    return f"SharedAccessSignature sr={uri}&sig={signature}&se={expiry}"


class Client:
    """One connection; use it with ``async with``.

    Attributes:
        reader: what the hub sends, raw.
        code, session_present: from its CONNACK.
    """

    def __init__(
        self,
        hub: EdgeHub,
        *,
        password: str | None = None,
        clean: bool = False,
        client_id: str = "edge-device/scoring",
        keep_alive: int = 60,
        listen: bool = True,
    ) -> None:
        self.code, self.session_present = -1, False
        self._hub, self._clean, self._client_id, self._keep_alive = hub, clean, client_id, keep_alive
        self._password = token(hub) if password is None else password
        self._listen = listen
        self._decoder = Decoder(1_000_000)
        self._packets: list[packets.Packet] = []

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cadata=self._hub.trust_bundle)
        gateway = self._hub.environment["IOTEDGE_GATEWAYHOSTNAME"]
        self.reader, self._writer = await asyncio.open_connection(gateway, 8883, ssl=context)
        flags = 0xC2 if self._clean else 0xC0
        fields = [self._client_id, f"simulated.azure-devices.net/{self._client_id}/?api-version=2019", self._password]
        head = b"\x00\x04MQTT\x04" + struct.pack("!BH", flags, self._keep_alive)
        self.write(0x10, head + b"".join(_text(field) for field in fields))
        _, _, session_present, self.code = await self.reader.readexactly(4)
        self.session_present = bool(session_present)
        if self._listen and not self.code and not self.session_present:
            await self.subscribe(INPUTS)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    def write(self, head: int, body: bytes) -> None:
        """Send one packet."""
        self._writer.write(header(head, len(body)) + body)

    async def subscribe(self, *filters: str) -> list[int]:
        """Subscribe and give what was granted."""
        self.write(0x82, struct.pack("!H", 1) + b"".join(_text(each) + b"\x01" for each in filters))
        _, length = await self.reader.readexactly(2)
        return list((await self.reader.readexactly(length))[2:])

    def publish(self, topic: str, body: bytes, packet_id: int = 1) -> None:
        """Publish at QoS 1."""
        self.write(0x32, _text(topic) + struct.pack("!H", packet_id) + body)

    def ack(self, packet: Publish) -> None:
        """Send a PUBACK."""
        self.write(0x40, struct.pack("!H", packet.packet_id))

    async def receive(self, limit: float = 5.0) -> Publish | packets.PubAck:
        """Give the next PUBLISH or PUBACK."""
        async with asyncio.timeout(limit):
            while not self._packets:
                data = await self.reader.read(65_536)
                if not data:
                    raise ConnectionError("the hub closed the connection")
                self._packets += self._decoder.feed(data)
        packet = self._packets.pop(0)
        assert isinstance(packet, Publish | packets.PubAck)
        return packet

    async def input(self, limit: float = 5.0) -> Publish:
        """Give the next PUBLISH."""
        packet = await self.receive(limit)
        assert isinstance(packet, Publish)
        return packet

    async def hears_nothing(self, seconds: float = 0.15) -> bool:
        """Say whether nothing comes for so long."""
        try:
            await self.receive(seconds)
        except TimeoutError:
            return True
        return False

    async def closed(self, limit: float = 5.0) -> bool:
        """Wait for the end of the connection; say whether it came."""
        try:
            while True:
                await self.receive(limit)
        except (ConnectionError, asyncio.IncompleteReadError):
            return True
        except TimeoutError:
            return False


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded
