"""mosquitto as the hub, on the core of the load, and a client that sends input messages and hears the answers."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import trustme

from module.simulator.edge_hub.packets import Decoder
from module.transports.mqtt_packets import Publish, publish

from .processes import BUILD, LOAD_CORE, Server

TOPICS = "devices/edge/modules/scoring"
ADDRESS = "127.0.0.107"
_PLAIN = 1884
_GREETING = 9
"""Bytes of CONNACK and SUBACK, which the hub's decoder does not know."""

_PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def missing() -> str:
    """Say how to get mosquitto; nothing if it is there."""
    return "" if _PROGRAM else "mosquitto is not installed (Debian: apt-get install mosquitto)"


class Broker:
    """A mosquitto with TLS for the module and a plain port for the load; use it with ``async with``.

    Attributes:
        server: its process.
        environment: the variables by which the SDK finds it.
        authority: the certificate of its authority.
    """

    server: Server

    def __init__(self, folder: Path, un_acked: int) -> None:
        """Take an empty folder, and how many un-acked messages the module may have."""
        self._configuration, self.authority = folder / "mosquitto.conf", folder / "ca.pem"
        made = trustme.CA()
        certificate = made.issue_cert(ADDRESS)
        made.cert_pem.write_to_path(str(self.authority))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
        self._configuration.write_text(
            f"allow_anonymous true\nmax_inflight_messages {un_acked}\nmax_queued_messages 100000\n"
            f"set_tcp_nodelay true\npersistence false\nlog_type error\nuser root\n"
            f"listener 8883 {ADDRESS}\ncafile {self.authority}\ncertfile {folder}/cert.pem\nkeyfile {folder}/cert.pem\n"
            f"listener {_PLAIN} {ADDRESS}\n"
        )
        self.environment = {
            "EdgeHubConnectionString": f"HostName=hub.azure-devices.net;GatewayHostName={ADDRESS};"
            "DeviceId=edge;ModuleId=scoring;SharedAccessKey=c2VjcmV0",
            "EdgeModuleCACertificateFile": str(self.authority),
        }

    async def __aenter__(self) -> Self:
        self.server = Server([str(_PROGRAM), "-c", self._configuration], "mosquitto", core=LOAD_CORE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()


class Driver(asyncio.Protocol):
    """A client that sends input messages, and tells ``answered`` the number and body of each output message."""

    def __init__(self, answered: Callable[[int, bytes], None]) -> None:
        """Take who is told."""
        self._answered = answered
        self._decoder = Decoder(1_000_000)
        self._skip = _GREETING
        self._transport: Any = None

    async def connect(self) -> None:
        """Connect and subscribe. Raises OSError: the broker does not come up."""
        events = f"{TOPICS}/messages/events/#".encode()
        subscribe = b"\0\1\0" + bytes([len(events)]) + events + b"\0"
        hello = b"\x10\x12\0\4MQTT\4\2\0\0\0\6driver\x82" + bytes([len(subscribe)]) + subscribe
        for _ in range(500):
            await asyncio.sleep(0.02)
            with suppress(OSError):
                if self._transport is None:
                    loop = asyncio.get_running_loop()
                    made, _ = await loop.create_connection(lambda: self, ADDRESS, _PLAIN)
                    made.write(hello)
            if not self._skip:
                return
        raise OSError(f"mosquitto does not answer: see {BUILD}/logs/mosquitto/log")

    def send(self, number: int, body: bytes) -> None:
        """Send a JSON body as the message ``m{number}``, as edgeHub names it."""
        bag = f"%24.cdid=leaf&%24.mid=m{number}&%24.ct=application%2Fjson&%24.ce=utf-8"
        topic = f"{TOPICS}/inputs/amlInput/{bag}"
        self._transport.write(publish(topic, body, number % 65_535 + 1))

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what the broker sends."""
        data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        for packet in self._decoder.feed(data):
            if isinstance(packet, Publish):
                self._answered(int(packet.topic.partition("%24.cid=m")[2].partition("&")[0]), packet.body)
