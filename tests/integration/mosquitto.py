"""A real broker instead of edgeHub: mosquitto with TLS, one un-acked message at a time, and a client to drive it."""

import asyncio
import shutil
import ssl
import threading
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import paho.mqtt.client as mqtt
import trustme

HOW_TO_GET_IT = "mosquitto is not installed (Debian: apt-get install mosquitto)"
_TOPICS = "devices/edge/modules/scoring"


def found() -> str | None:
    """Give mosquitto's path, None if it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A broker with nothing in it; use it with ``async with``."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._make_certificates()
        (self._folder / "mosquitto.conf").write_text(
            f"listener 8883 {self._address}\ncafile {self._folder}/ca.pem\ncertfile {self._folder}/cert.pem\n"
            f"keyfile {self._folder}/key.pem\nallow_anonymous true\nmax_inflight_messages 1\n"
            "max_queued_messages 1000000\npersistence false\nlog_type error\nuser root\n"
        )
        configuration = str(self._folder / "mosquitto.conf")
        self._process = await asyncio.create_subprocess_exec(str(found()), "-c", configuration, stderr=DEVNULL)
        async with asyncio.timeout(10):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(self._address, 8883)
                    writer.close()
                    return self
                await asyncio.sleep(0.05)

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            async with asyncio.timeout(10):
                await self._process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the SDK finds it."""
        return {
            "EdgeHubConnectionString": f"HostName=hub.azure-devices.net;GatewayHostName={self._address};"
            "DeviceId=edge;ModuleId=scoring;SharedAccessKey=c2VjcmV0",
            "EdgeModuleCACertificateFile": str(self._folder / "ca.pem"),
        }

    def driver(self) -> "Driver":
        """Give a client that sends input messages and keeps outputs."""
        return Driver(self._address, self._folder / "ca.pem")

    def _make_certificates(self) -> None:
        authority = trustme.CA()
        server = authority.issue_cert(self._address)
        authority.cert_pem.write_to_path(str(self._folder / "ca.pem"))
        server.private_key_pem.write_to_path(str(self._folder / "key.pem"))
        server.cert_chain_pems[0].write_to_path(str(self._folder / "cert.pem"))


class Driver:
    """Routes input messages to the module and keeps what it publishes; use it with ``with``.

    Attributes:
        outputs: (properties with system ones by their ``$.`` names, body) in the order of their arrival.
    """

    def __init__(self, address: str, authority: Path) -> None:
        self.outputs: list[tuple[dict[str, str], bytes]] = []
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        first: list[Any] = [versions.VERSION1] if versions else []
        self._client: Any = mqtt.Client(*first, client_id="driver", clean_session=True)
        self._client.tls_set_context(ssl.create_default_context(cafile=str(authority)))
        self._client.on_message = self._on_message
        self._client.max_inflight_messages_set(0)
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._address = address

    def __enter__(self) -> Self:
        self._client.connect(self._address, 8883)
        self._client.subscribe(f"{_TOPICS}/messages/events/#", 1)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, bodies: Sequence[bytes], first: int = 0) -> None:
        """Send JSON bodies with the ids ``m{first}`` and so on to amlInput, each with a property ``site``."""
        for number, body in enumerate(bodies, first):
            bag = f"%24.cdid=leaf&%24.mid=m{number}&%24.ct=application%2Fjson&%24.ce=utf-8&site=%C3%84%26"
            self._client.publish(f"{_TOPICS}/inputs/amlInput/{bag}", body, 1)

    @property
    def answered(self) -> list[int]:
        """Numbers of the messages that the outputs answer, in order."""
        return [int(properties["$.cid"][1:]) for properties, _ in list(self.outputs)]

    def _on_message(self, client: object, userdata: object, packet: Any) -> None:
        pairs = (pair.partition("=") for pair in packet.topic.rpartition("/")[2].split("&"))
        self.outputs.append(({unquote(key): unquote(value) for key, _, value in pairs}, packet.payload))
