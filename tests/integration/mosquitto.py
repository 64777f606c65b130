"""A real broker instead of edgeHub, mosquitto, and a client to drive it: for tests and benchmarks."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import trustme

from module.simulator.edge_hub.packets import Decoder
from module.transports.mqtt_packets import Publish, puback, publish

HOW_TO_GET_IT = "mosquitto is not installed (Debian: apt-get install mosquitto)"
TOPICS = "devices/edge/modules/scoring"
_PLAIN = 1884
_GREETING = 9
"""Bytes of CONNACK and SUBACK, which the hub's decoder does not know."""


def found() -> str | None:
    """Give mosquitto's path, None if it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A broker with nothing in it: TLS for the module, a plain port for the driver; use it with ``async with``.

    Attributes:
        command: what starts it.
        environment: the variables by which the SDK finds it.
        authority: the certificate of its authority.
    """

    def __init__(self, address: str, folder: Path, un_acked: int = 1) -> None:
        """Take its address, a folder for its files, and how many un-acked messages the module may have."""
        self._address = address
        self._process: asyncio.subprocess.Process | None = None
        self.authority = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            f"allow_anonymous true\nmax_inflight_messages {un_acked}\nmax_queued_messages 1000000\n"
            f"set_tcp_nodelay true\npersistence false\nlog_type error\nuser root\n"
            f"listener 8883 {address}\ncafile {self.authority}\ncertfile {folder}/cert.pem\nkeyfile {folder}/cert.pem\n"
            f"listener {_PLAIN} {address}\n"
        )
        self.command = [str(found()), "-c", str(configuration)]
        self.environment = {
            "EdgeHubConnectionString": f"HostName=hub.azure-devices.net;GatewayHostName={address};"
            "DeviceId=edge;ModuleId=scoring;SharedAccessKey=c2VjcmV0",
            "EdgeModuleCACertificateFile": str(self.authority),
        }

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(*self.command, stderr=DEVNULL)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            async with asyncio.timeout(10):
                await self._process.wait()

    def driver(self, take: Callable[[Publish], object], qos: int = 1) -> "Driver":
        """Give a client that is not connected yet; ``take`` gets each output message, asked for at this QoS."""
        return Driver(self._address, take, qos)


class Driver(asyncio.Protocol):
    """Routes input messages to the module, and hears what it publishes; use it with ``async with``."""

    def __init__(self, address: str, take: Callable[[Publish], object], qos: int) -> None:
        self._address, self._take, self._qos = address, take, qos
        self._decoder = Decoder(1_000_000)
        self._skip = _GREETING
        self._transport: Any = None

    async def __aenter__(self) -> Self:
        """Connect and subscribe. Raises OSError: the broker does not come up."""
        events = f"{TOPICS}/messages/events/#".encode()
        subscribe = b"\0\1\0" + bytes([len(events)]) + events + bytes([self._qos])
        hello = b"\x10\x12\0\4MQTT\4\2\0\0\0\6driver\x82" + bytes([len(subscribe)]) + subscribe
        for _ in range(500):
            await asyncio.sleep(0.02)
            with suppress(OSError):
                if self._transport is None:
                    loop = asyncio.get_running_loop()
                    made, _ = await loop.create_connection(lambda: self, self._address, _PLAIN)
                    made.write(hello)
            if not self._skip:
                return self
        raise OSError(f"mosquitto does not answer at port {_PLAIN} of {self._address}")

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def send(self, number: int, body: bytes, properties: str = "") -> None:
        """Send a JSON body as the message ``m{number}`` to amlInput, with url-encoded properties such as ``&a=b``."""
        bag = f"%24.cdid=leaf&%24.mid=m{number}&%24.ct=application%2Fjson&%24.ce=utf-8{properties}"
        self._transport.write(publish(f"{TOPICS}/inputs/amlInput/{bag}", body, number % 65_535 + 1))

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what the broker sends."""
        data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        for packet in self._decoder.feed(data):
            if isinstance(packet, Publish):
                if packet.packet_id:
                    self._transport.write(puback(packet.packet_id))
                self._take(packet)


def number_of(packet: Publish) -> int:
    """Give the number of the input message that an output message answers."""
    return int(packet.topic.partition("%24.cid=m")[2].partition("&")[0])


class Outputs:
    """What the module published: give ``take`` to the driver.

    Attributes:
        packets: all of it, in the order of its arrival.
    """

    def __init__(self) -> None:
        self.packets: list[Publish] = []
        self.answered: list[int] = []

    def take(self, packet: Publish) -> None:
        """Keep an output message, and the number of the input message that it answers."""
        self.packets.append(packet)
        self.answered.append(number_of(packet))

    @property
    def properties(self) -> Sequence[dict[str, str]]:
        """The properties of each, system ones by their ``$.`` names."""
        bags = [packet.topic.rpartition("/")[2].split("&") for packet in self.packets]
        pairs = [[pair.partition("=") for pair in bag] for bag in bags]
        return [{unquote(key): unquote(value) for key, _, value in bag} for bag in pairs]
