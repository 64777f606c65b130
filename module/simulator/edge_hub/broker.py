"""The module's side of the hub: who may connect, and what its packets mean.

Sources: edgeHub `MessagingServiceClient.cs`, `DeviceMessageHandler.cs`, `appsettings_hub.json`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from ...errors import TwinError
from ...transports.mqtt_packets import Publish, puback
from . import packets, sas
from .connection import Connection
from .faults import Faults
from .methods import Methods
from .packets import Connect, Packet, PingRequest, PubAck, Subscribe, Unsubscribe
from .session import Session
from .twin import Twin

_log = logging.getLogger(__name__)

_MAX_CLIENTS = 100
"""Connections at most (`MaxConnectedClients`)."""


@dataclass(eq=False, kw_only=True)
class ModuleBroker:
    """Serves the connections of one module.

    Attributes:
        token_grace: seconds that a connection outlives its token.
        output: takes body and property bag of each message that the module publishes.
    """

    session: Session
    twin: Twin
    methods: Methods
    faults: Faults
    token_grace: float
    output: Callable[[bytes, str], None]
    _connections: set[Connection] = field(default_factory=set)

    def tick(self, now: float) -> None:
        """Look for time-outs; to be called now and then."""
        for connection in list(self._connections):
            connection.tick(now)
        self.session.tick(now)

    def drop_connections(self) -> None:
        """Drop all connections without a word."""
        for connection in list(self._connections):
            connection.abort()
            self.on_close(connection)

    def on_open(self, connection: Connection) -> None:
        """Remember a connection; too many are dropped."""
        if len(self._connections) >= _MAX_CLIENTS:
            connection.abort()
        else:
            self._connections.add(connection)

    def on_close(self, connection: Connection) -> None:
        """Forget a connection; the session stays."""
        self._connections.discard(connection)
        self.session.detach(connection)

    def on_packet(self, connection: Connection, packet: Packet) -> None:
        """Do what a packet asks for: a CONNECT, or another one of the module that is connected."""
        if isinstance(packet, PubAck):
            self.session.ack(packet.packet_id)
        elif isinstance(packet, Publish):
            self._take_publish(connection, packet)
        elif isinstance(packet, Subscribe):
            granted = [self._subscribe(topic, qos) for topic, qos in packet.filters]
            connection.send(packets.suback(packet.packet_id, granted))
            self.session.pump()
        elif isinstance(packet, Unsubscribe):
            self.session.subscriptions.difference_update(packet.filters)
            connection.send(packets.unsuback(packet.packet_id))
        elif isinstance(packet, Connect):
            self._connect(connection, packet)
        elif isinstance(packet, PingRequest):
            connection.send(packets.PINGRESP)
        else:
            connection.close()

    def _connect(self, connection: Connection, packet: Connect) -> None:
        """Let the module in, or refuse; a second connection of the module ends the first."""
        code, expires = self._admit(packet)
        if code:
            connection.send(packets.connack(code))
            connection.close()
            return
        if (before := self.session.link) is not None:
            _log.warning("a second connection of %s ends the first", packet.client_id)
            before.close()
            self.on_close(before)
        session_present = self.session.persistent and not packet.clean_session
        connection.accept(packet, session_present=session_present, expires=expires)
        self.session.attach(connection, clean=packet.clean_session)
        self.session.pump()

    def _admit(self, packet: Connect) -> tuple[int, float | None]:
        """Give the CONNACK code, 0 for yes, and when the connection must end (monotonic seconds)."""
        if self.faults.refuse_connects > 0:
            self.faults.refuse_connects -= 1
            return self.faults.refuse_code, None
        if packet.level != 4:
            return packets.CONNACK_REFUSED_PROTOCOL, None
        now = time.time()
        try:
            left = self.session.identity.token_expiry(packet, now) - now + self.token_grace
        except sas.TokenError as error:
            _log.warning("CONNECT refused: %s", error)
            return packets.CONNACK_NOT_AUTHORIZED, None
        lifetime = self.faults.token_lifetime
        return 0, time.monotonic() + (left if lifetime is None else min(left, lifetime))

    def _subscribe(self, topic: str, qos: int) -> int:
        identity = self.session.identity
        if not topic.startswith((identity.topics, f"devices/{identity.device}/messages/", "$iothub/")):
            return packets.SUBACK_FAILURE
        self.session.subscriptions.add(topic)
        return min(qos, 1)

    def _take_publish(self, connection: Connection, packet: Publish) -> None:
        """Take a message or a request and confirm it; with messages this goes as wrong as a test has said."""
        topic, events = packet.topic, f"{self.session.identity.topics}/messages/events"
        delay = 0.0
        if topic.startswith(events):
            self.output(packet.body, topic[len(events) :].strip("/"))
            if self.faults.withhold_pubacks:
                return
            delay = self.faults.puback_delay
        elif topic.startswith("$iothub/"):
            self._take_request(topic, packet.body)
        else:
            _log.warning("a message on the unknown topic %s is dropped", topic)
        if delay and packet.packet_id:
            asyncio.get_running_loop().call_later(delay, connection.send, puback(packet.packet_id))
        elif packet.packet_id:
            connection.send(puback(packet.packet_id))

    def _take_request(self, topic: str, body: bytes) -> None:
        """Answer a twin request, or take the answer to a direct method."""
        path, _, query = topic.partition("/?")
        request_id = unquote(query.partition("$rid=")[2].partition("&")[0])
        if path == "$iothub/twin/GET":
            self.session.send(f"$iothub/twin/res/200/?$rid={request_id}", self.twin.document())
        elif path == "$iothub/twin/PATCH/properties/reported":
            status = 204
            try:
                self.twin.report(body)
            except TwinError as error:
                _log.warning("reported properties refused: %s", error)
                status = 400
            self.session.send(f"$iothub/twin/res/{status}/?$rid={request_id}", b"")
        elif path.startswith("$iothub/methods/res/"):
            self.methods.answered(request_id, path.removeprefix("$iothub/methods/res/"), body)
        else:
            _log.warning("a request on the unknown topic %s is dropped", topic)
