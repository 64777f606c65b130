"""What the hub keeps for the module while it is away: subscriptions, waiting messages, and those not yet acked.

Sources: edgeHub `DeviceMessageHandler.SendMessageAsync` (one un-acked message at a time over all inputs, ack time-out),
`RoutingModule.cs` (retries for ever, 1 to 60 s apart), `StoringAsyncEndpointExecutor.cs` (priorities).
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from ...transports.mqtt_packets import publish
from ..routing.messages import RoutedMessage
from .sas import Identity

if TYPE_CHECKING:
    from .connection import Connection

_MAX_BACK_OFF = 60.0


class Delivery(msgspec.Struct):
    """One message on its way to one input.

    Attributes:
        message: the message.
        topic: the topic with input name and properties.
        priority: 0 first.
        expires: when its route's time to live ends (monotonic seconds).
        attempts: how often it was sent.
        sent_at: when it was sent on this connection and waits for its PUBACK (monotonic seconds), else None.
        not_before: when it may be sent again (monotonic seconds).
        packet_id: its MQTT packet id, 0 before it was sent.
        tag: whatever the owner of the hub wants to remember.
    """

    message: RoutedMessage
    topic: str
    priority: int
    expires: float = math.inf
    attempts: int = 0
    sent_at: float | None = None
    not_before: float = 0.0
    packet_id: int = 0
    tag: object = None


@dataclass(eq=False, kw_only=True)
class Session:
    """The module's queue and subscriptions; outlives connections.

    Attributes:
        identity: the module's.
        max_in_flight: messages sent and not acked at most.
        ack_timeout: seconds until one of them is sent again.
        bound: number of waiting messages from which on ``room`` waits.
        delivered: called for each time a message is sent.
        link: the module's connection; None while it is away.
        connected, disconnected: events; one of them is set.
        connects: how often the module connected.
        subscriptions: topic filters, at QoS 1.
        in_flight: sent and not acked, by packet id, in the order of their first delivery.
        persistent: whether a client left state behind (``clean_session=False``).
        waiting: number of messages that were not sent yet.
        acked, redelivered, expired: counts of messages.
    """

    identity: Identity
    max_in_flight: int
    ack_timeout: float
    bound: int
    delivered: Callable[[Delivery], object]
    link: "Connection | None" = None
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    connects: int = 0
    subscriptions: set[str] = field(default_factory=set)
    in_flight: dict[int, Delivery] = field(default_factory=dict)
    persistent: bool = False
    waiting: int = 0
    acked: int = 0
    redelivered: int = 0
    expired: int = 0
    _queues: dict[int, deque[Delivery]] = field(default_factory=dict)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _inputs: str = ""
    _last_id: int = 0

    def __post_init__(self) -> None:
        self._inputs = f"{self.identity.topics}/inputs/#"
        self._room.set()
        self.disconnected.set()

    def attach(self, link: "Connection", *, clean: bool) -> None:
        """Take a new connection. A clean one forgets the subscriptions; messages stay, they are the hub's."""
        if clean:
            self.subscriptions.clear()
        self.persistent = not clean
        self.link = link
        self.connects += 1
        for delivery in self.in_flight.values():
            delivery.sent_at, delivery.not_before = None, 0.0
        self.disconnected.clear()
        self.connected.set()

    def detach(self, link: "Connection") -> None:
        """Forget a connection that ended."""
        if self.link is link:
            self.link = None
            self.connected.clear()
            self.disconnected.set()

    def send(self, topic: str, body: bytes) -> bool:
        """Publish to the module if it is connected and subscribed to the topic; say whether it is."""
        filters = self.subscriptions
        listens = any(topic == each or (each.endswith("#") and topic.startswith(each[:-1])) for each in filters)
        if self.link is None or not listens:
            return False
        self.link.send(publish(topic, body, self.new_packet_id()))
        return True

    def enqueue(self, delivery: Delivery) -> None:
        """Take a message for the module, and send it if it may go at once."""
        queue = self._queues.get(delivery.priority)
        if queue is None:
            queue = self._queues[delivery.priority] = deque()
            self._queues = dict(sorted(self._queues.items()))
        queue.append(delivery)
        self.waiting += 1
        if self.waiting >= self.bound:
            self._room.clear()
        if len(self.in_flight) < self.max_in_flight:
            self.pump()

    async def room(self) -> None:
        """Wait while as many messages wait as the bound allows, then until half of them are gone."""
        await self._room.wait()

    def pump(self) -> None:
        """Send first what was not acked, then what waits, up to the limit and the best priority first."""
        if self.link is None or self._inputs not in self.subscriptions:
            return
        now = monotonic()
        for delivery in list(self.in_flight.values()):
            if delivery.sent_at is None and delivery.not_before <= now:
                self._send(delivery, now)
        while self.waiting and len(self.in_flight) < self.max_in_flight:
            delivery = next(queue for queue in self._queues.values() if queue).popleft()
            self.waiting -= 1
            if self.waiting <= self.bound // 2:
                self._room.set()
            if delivery.expires <= now:
                self.expired += 1
                continue
            delivery.packet_id = self.new_packet_id()
            self.in_flight[delivery.packet_id] = delivery
            self._send(delivery, now)

    def new_packet_id(self) -> int:
        """Give a packet id that no un-acked message has."""
        while True:
            self._last_id = self._last_id % 65_535 + 1
            if self._last_id not in self.in_flight:
                return self._last_id

    def ack(self, packet_id: int) -> None:
        """Take a PUBACK. After the ack time-out it is too late: the message is sent again, as edgeHub does."""
        delivery = self.in_flight.get(packet_id)
        if delivery is None or delivery.sent_at is None:
            return
        del self.in_flight[packet_id]
        self.acked += 1
        self.pump()

    def tick(self, now: float) -> None:
        """Look for messages whose ack time-out or time to live is over; to be called now and then."""
        for delivery in list(self.in_flight.values()):
            if delivery.sent_at is not None and now - delivery.sent_at >= self.ack_timeout:
                delivery.sent_at = None
                delivery.not_before = now + min(_MAX_BACK_OFF, 2.0 ** min(delivery.attempts - 1, 6))
            if delivery.sent_at is None and delivery.expires <= now:
                del self.in_flight[delivery.packet_id]
                self.expired += 1
        self.pump()

    def _send(self, delivery: Delivery, now: float) -> None:
        delivery.sent_at = now
        delivery.attempts += 1
        dup = delivery.attempts > 1
        self.redelivered += dup
        if self.link is not None:
            self.link.send(publish(delivery.topic, delivery.message.body, delivery.packet_id, dup=dup))
        self.delivered(delivery)
