"""A local edgeHub for one module: MQTT over TLS on port 8883, workload API, routes, twin and direct methods."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, Self

from ...messages import InputMessage
from ...packaging.manifest.edge_manifest import RouteSpec
from ..routing.messages import RoutedMessage
from ..routing.routes import built_in_routes, compile_route
from .broker import ModuleBroker
from .connection import Connection
from .dispatch import Counts, Dispatcher, RoutingResult
from .faults import Faults
from .listener import Listener
from .methods import Methods
from .sas import Identity
from .session import Delivery, Session
from .twin import Twin
from .workload import GENERATION, WorkloadApi

_API_VERSION = "2018-06-28"


def _ignore(_: object) -> None:
    """Do nothing: nobody wants to hear of it."""


class EdgeHub:
    """The hub; use it with ``async with``. A wrong route is a SettingsError.

    Args:
        listen: the address; also the module's gateway host name.
        device: the edge device's id.
        module: the id of the one module that may connect.
        iothub: the IoT hub's host name.
        leaf_device: the id under which ``send_telemetry`` sends.
        routes: by name; without them ``built_in_routes``.
        desired: the twin's initial desired properties.
        max_in_flight: un-acked input messages at a time; edgeHub's is 1.
        ack_timeout: seconds until an un-acked message is sent again.
        queue_bound: waiting messages from which on ``send_telemetry`` waits.
        token_grace: seconds that a connection outlives its token.
        private_output: an output of the module that no route takes: only ``on_output`` sees it.
        on_routed: called when a message that was sent to the hub is queued for the module.
        on_delivered: called for each time a message is sent to the module.
        on_output: called for each message the module publishes.
        on_upstream: called for each message that reaches $upstream.

    Attributes:
        session: what is kept for the module: its queue, what is not acked yet, and counts of deliveries.
        counts, faults: what it saw; what a test lets go wrong.
        twin, methods: its desired and reported properties; its direct methods.
        key, trust_bundle: the module's key; the authority's certificate as PEM text.
        connected, disconnected: events; one of them is set.
    """

    def __init__(
        self,
        *,
        listen: str = "127.0.0.1",
        device: str = "edge-device",
        module: str = "scoring",
        iothub: str = "simulated.azure-devices.net",
        leaf_device: str = "leaf-device",
        routes: Mapping[str, RouteSpec] | None = None,
        desired: dict[str, Any] | None = None,
        max_in_flight: int = 1,
        ack_timeout: float = 30.0,
        queue_bound: int = 128,
        token_grace: float = 5.0,
        private_output: str = "",
        on_routed: Callable[[Delivery], object] = _ignore,
        on_delivered: Callable[[Delivery], object] = _ignore,
        on_output: Callable[[RoutedMessage], object] = _ignore,
        on_upstream: Callable[[RoutedMessage], object] = _ignore,
    ) -> None:
        self.counts, self.faults = Counts(), Faults()
        self.key = secrets.token_bytes(32)
        self._gateway = "127.0.0.1" if listen == "0.0.0.0" else listen  # noqa: S104 - only compared
        self.twin = Twin(desired or {})
        self.session = Session(
            identity=Identity(iothub, device, module, self.key),
            max_in_flight=max_in_flight,
            ack_timeout=ack_timeout,
            bound=queue_bound,
            delivered=on_delivered,
        )
        specs = built_in_routes(module) if routes is None else routes
        self._dispatcher = Dispatcher(
            leaf_device=leaf_device,
            routes=[compile_route(name, spec) for name, spec in specs.items()],
            session=self.session,
            counts=self.counts,
            on_routed=on_routed,
            on_output=on_output,
            on_upstream=on_upstream,
            private_output=private_output,
        )
        self.methods = Methods(self.session.send)
        self._broker = broker = ModuleBroker(
            session=self.session,
            twin=self.twin,
            methods=self.methods,
            faults=self.faults,
            token_grace=token_grace,
            output=self._dispatcher.take_output,
        )
        self.connected, self.disconnected = self.session.connected, self.session.disconnected
        self._tick = min(1.0, ack_timeout / 5)
        self._listener = Listener(listen, lambda: Connection(broker.on_open, broker.on_packet, broker.on_close))
        self.trust_bundle = self._listener.trust_bundle
        self._workload_socket: Path | None = None
        self._ticking: asyncio.TimerHandle
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            SettingsError: the port is taken or the address is not this machine's.
        """
        await self._listener.open()
        folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="edgehub-", ignore_cleanup_errors=True))
        self._workload_socket = Path(folder, "workload.sock")
        workload = WorkloadApi(self._workload_socket, self.trust_bundle, self.session.identity, self.faults)
        workload.start()
        self._opened.push_async_callback(asyncio.to_thread, workload.stop)
        self._opened.push_async_callback(self._listener.close, self._broker.drop_connections)
        self._on_tick()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        self._ticking.cancel()
        await self._opened.aclose()

    @property
    def environment(self) -> dict[str, str]:
        """The seven variables that ``IoTHubModuleClient.create_from_edge_environment()`` reads."""
        identity = self.session.identity
        return {
            "IOTEDGE_IOTHUBHOSTNAME": identity.iothub,
            "IOTEDGE_DEVICEID": identity.device,
            "IOTEDGE_MODULEID": identity.module,
            "IOTEDGE_GATEWAYHOSTNAME": self._gateway,
            "IOTEDGE_MODULEGENERATIONID": GENERATION,
            "IOTEDGE_WORKLOADURI": f"unix://{self._workload_socket}",
            "IOTEDGE_APIVERSION": _API_VERSION,
        }

    async def send_telemetry(self, message: InputMessage) -> RoutingResult:
        """Send a message as from a leaf device; waits while the module's queue is full.

        A message that names an input goes straight to it, for others the routes decide.
        """
        return await self._dispatcher.send(message)

    def set_desired(self, patch: dict[str, Any]) -> None:
        """Change desired properties; a connected and subscribed module gets the patch, one that is away does not."""
        body = self.twin.update_desired(patch)
        self.session.send(f"$iothub/twin/PATCH/properties/desired/?$version={self.twin.desired_version}", body)

    def drop_connections(self) -> None:
        """Drop all connections without a word; clients may come back at once."""
        self._broker.drop_connections()

    async def restart(self, away: float = 0.0) -> None:
        """Close the listener and all connections, and come back after ``away`` seconds with the session kept."""
        await self._listener.close(self._broker.drop_connections)
        await asyncio.sleep(away)
        await self._listener.open()

    def _on_tick(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(self._tick, self._on_tick)
        self._broker.tick(monotonic())
