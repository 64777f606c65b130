"""Takes messages from leaf devices and from the module, and sends them where their routes lead.

Source: edgeHub `RoutingEdgeHub.cs`; a message of the module that is too large or that no route takes is dropped, and
confirmed all the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from math import inf
from time import monotonic

from ...messages import InputMessage
from ...packaging.manifest.edge_manifest import DEFAULT_PRIORITY
from ...packaging.route_language.route import UPSTREAM
from ...transports.mqtt_packets import MAX_TOPIC
from ..routing.messages import RoutedMessage, bag_for_module, from_device, from_module
from ..routing.routes import Route, routes_of
from .session import Delivery, Session

_MAX_QUEUE = 100_000
"""Messages of the module to itself that may wait at most; more are dropped."""


class RoutingResult(Enum):
    """What became of a message that was sent to the hub."""

    ROUTED = auto()
    UNROUTED = auto()  # no route led to the module
    REFUSED = auto()  # over 262,144 bytes, or its properties fill more than a topic


@dataclass(slots=True)
class Counts:
    """What the hub saw.

    Attributes:
        outputs: messages that the module published.
        no_route: … of them, dropped because no route took them.
        too_large: … of them, dropped because they are larger than edgeHub or a topic takes.
        upstream: messages that reached $upstream, from anywhere.
        overflow: messages of the module to itself, dropped because too many of them wait.
    """

    outputs: int = 0
    no_route: int = 0
    too_large: int = 0
    upstream: int = 0
    overflow: int = 0


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Routes messages; the arguments are those of ``EdgeHub``."""

    leaf_device: str
    routes: Sequence[Route]
    session: Session
    counts: Counts
    on_routed: Callable[[Delivery], object]
    on_output: Callable[[RoutedMessage], object]
    on_upstream: Callable[[RoutedMessage], object]
    private_output: str = ""

    async def send(self, message: InputMessage) -> RoutingResult:
        """Take a message of a leaf device: for the input that it names, else for its routes; waits for room."""
        await self.session.room()
        routed = from_device(message, self.leaf_device, _now())
        if routed.oversize:
            results = [RoutingResult.REFUSED]
        elif message.input:
            results = [self._queue(routed, message.input, DEFAULT_PRIORITY, 0, announce=True)]
        else:
            results = self._route(routed, announce=True)
        if RoutingResult.ROUTED in results:
            return RoutingResult.ROUTED
        await asyncio.sleep(0)  # what fills no queue never waits for room
        return RoutingResult.REFUSED if RoutingResult.REFUSED in results else RoutingResult.UNROUTED

    def take_output(self, body: bytes, bag: str) -> None:
        """Take a message that the module published with this property bag."""
        message = from_module(body, bag, self.session.identity.device, self.session.identity.module, _now())
        self.counts.outputs += 1
        if message.oversize:
            self.counts.too_large += 1
            return
        self.on_output(message)
        if self.private_output and message.system.get("output_name") == self.private_output:
            return
        results = self._route(message, announce=False)
        self.counts.no_route += not results
        self.counts.too_large += RoutingResult.REFUSED in results

    def _route(self, message: RoutedMessage, *, announce: bool) -> list[RoutingResult]:
        """Send a message where its routes lead; give for each of them what became of it on the way to the module."""
        results, module = [], self.session.identity.module
        for route in routes_of(message, self.routes):
            result = RoutingResult.UNROUTED
            if route.endpoint is UPSTREAM:
                self.counts.upstream += 1
                self.on_upstream(message)
            elif route.endpoint.module == module and self.session.waiting >= _MAX_QUEUE:
                self.counts.overflow += 1
            elif route.endpoint.module == module:
                result = self._queue(
                    message, route.endpoint.input, route.priority, route.time_to_live, announce=announce
                )
            results.append(result)
        return results

    def _queue(
        self, message: RoutedMessage, input_name: str, priority: int, time_to_live: int, *, announce: bool
    ) -> RoutingResult:
        topic = f"{self.session.identity.topics}/inputs/{input_name}/{bag_for_module(message)}"
        if len(topic.encode()) > MAX_TOPIC:
            return RoutingResult.REFUSED
        expires = monotonic() + time_to_live if time_to_live else inf
        delivery = Delivery(message, topic, priority, expires)
        if announce:
            self.on_routed(delivery)
        self.session.enqueue(delivery)
        return RoutingResult.ROUTED


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
