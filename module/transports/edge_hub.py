"""edgeHub through azure-iot-device: connection, tokens and messages as the SDK does them.

The SDK acks a message before its receiver runs, so what is not scored when the process dies is lost: delivery on
receipt.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

from ..errors import SettingsError, TransportError
from ..messages import InputMessage, Offer, OutputMessage

_VARIABLES = (
    "IOTEDGE_IOTHUBHOSTNAME",
    "IOTEDGE_DEVICEID",
    "IOTEDGE_MODULEID",
    "IOTEDGE_GATEWAYHOSTNAME",
    "IOTEDGE_MODULEGENERATIONID",
    "IOTEDGE_WORKLOADURI",
    "IOTEDGE_APIVERSION",
)
_SYSTEM = {"$.cdid": "device_id", "$.cmid": "module_id", "$.ctime": "creation_time"}
_ATTRIBUTES = ("message_id", "correlation_id", "content_type", "content_encoding", "user_id")
_MAX_BACK_OFF = 60.0
_CALL_TIMEOUT = 60.0

_log = logging.getLogger(__name__)


def check_environment(environment: Mapping[str, str]) -> None:
    """See that the SDK can find edgeHub.

    Raises:
        SettingsError: variables are missing; the sentence names them.
    """
    missing = [name for name in _VARIABLES if not environment.get(name)]
    if missing and not ("EdgeHubConnectionString" in environment and "EdgeModuleCACertificateFile" in environment):
        raise SettingsError(
            f"{', '.join(missing)} not set: edgeAgent sets them; on a laptop run scoring-module simulate instead"
        )


class EdgeHub:
    """The stock SDK client as a transport."""

    def __init__(self, offer: Callable[[InputMessage], Offer], hub_timeout: float) -> None:
        """Take the inbox's offer, and the seconds after which an unreachable hub is given up."""
        self._offer = offer
        self._hub_timeout = hub_timeout
        self._client: IoTHubModuleClient | None = None
        self._taking = True
        self._in_turn: asyncio.Lock | None = None

    async def start(self) -> None:
        """Connect, trying again with growing pauses: edgeHub may start later than its modules.

        Raises:
            TransportError: it could not be reached within the time-out.
        """
        # The SDK sends from the loop's default executor: with one thread messages leave in order.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, "azure-iot-device"))
        end = time.monotonic() + self._hub_timeout
        pause = 0.5
        while True:
            try:
                self._client = await self._connect()
                return
            except Exception as error:
                reason = _reason(error)
                if time.monotonic() + pause > end:
                    raise TransportError(
                        f"edgeHub at {os.environ.get('IOTEDGE_GATEWAYHOSTNAME', 'the connection string')} was not "
                        f"reached within {self._hub_timeout:g} s (SCORING_HUB_TIMEOUT_S): {reason}"
                    ) from error
                _log.warning("edgeHub is not reachable, next try in %.1f s: %s", pause, reason)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_BACK_OFF)

    async def _connect(self) -> IoTHubModuleClient:
        client = await asyncio.to_thread(IoTHubModuleClient.create_from_edge_environment)
        try:
            # Before connecting: the session's waiting messages come at once, and without a receiver they are dropped.
            client.on_message_received = self._receive
            await asyncio.wait_for(client.connect(), _CALL_TIMEOUT)
        except BaseException:
            await _shut_down(client)
            raise
        return client

    async def _receive(self, message: Message) -> None:
        """Offer a message; runs on the SDK's own loop, where a lock hands the waiting ones on in order."""
        self._in_turn = self._in_turn or asyncio.Lock()
        async with self._in_turn:
            # The inbox belongs to another loop, so there is no event to wait for.
            while self._taking and self._offer(_input_message(message)) is Offer.FULL:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Send a message; tried again until the hub confirms it or the transport is stopped."""
        return asyncio.ensure_future(self._send(message))

    async def _send(self, message: OutputMessage) -> None:
        pause = 0.5
        while self._client is not None:
            try:
                await self._client.send_message_to_output(_sdk_message(message), message.output)
                return
            except Exception as error:
                _log.warning("edgeHub did not confirm a message, next try in %.1f s: %s", pause, _reason(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_BACK_OFF)
        raise TransportError("the connection to edgeHub was closed before it confirmed a message")

    async def stop_taking(self) -> None:
        """Offer no further message."""
        self._taking = False

    async def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await _shut_down(client)


async def _shut_down(client: IoTHubModuleClient) -> None:
    try:
        await asyncio.wait_for(client.shutdown(), 5)
    except Exception as error:
        _log.warning("the connection to edgeHub did not close cleanly: %s", _reason(error))


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _input_message(message: Message) -> InputMessage:
    system = {name: str(value) for name in _ATTRIBUTES if (value := getattr(message, name)) is not None}
    properties: dict[str, str] = {}
    for name, value in message.custom_properties.items():
        if name in _SYSTEM:
            system[_SYSTEM[name]] = value or ""
        elif not name.startswith("$."):
            properties[name] = value or ""
    return InputMessage(bytes(message.data), str(message.input_name), system, properties)


def _sdk_message(message: OutputMessage) -> Message:
    sdk_message: Message = Message(message.body)  # type: ignore[no-untyped-call]
    for name in _ATTRIBUTES:
        setattr(sdk_message, name, message.system.get(name))
    sdk_message.custom_properties = dict(message.properties)
    return sdk_message
