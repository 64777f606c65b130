"""Takes messages from leaf devices and from the module, and sends them where their routes lead.

Source: edgeHub `RoutingEdgeHub.cs`; a message of the module that is too large or that no route takes is dropped, and
confirmed all the same.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from math import inf
from time import monotonic

from ...messages import InputMessage
from ...packaging.manifest.edge_manifest import DEFAULT_PRIORITY
from ..routing.messages import RoutedMessage, bag_for_module, from_device, from_module
from ..routing.routes import UPSTREAM, Router
from .identity import Identity
from .session import Delivery, Session

_MAX_QUEUE = 100_000
"""Messages of the module to itself that may wait at most; more are dropped."""


class Outcome(Enum):
    """What became of a message that was sent to the hub."""

    ROUTED = auto()
    UNROUTED = auto()  # no route led to the module
    REFUSED = auto()  # over 262,144 bytes


@dataclass(slots=True)
class Counts:
    """What the hub saw.

    Attributes:
        outputs: messages that the module published.
        no_route: … of them, dropped because no route took them.
        too_large: … of them, dropped because body and properties are over 262,144 bytes.
        upstream: messages that reached $upstream, from anywhere.
        elsewhere: messages for other modules.
        overflow: messages of the module to itself that found no room.
    """

    outputs: int = 0
    no_route: int = 0
    too_large: int = 0
    upstream: int = 0
    elsewhere: int = 0
    overflow: int = 0


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Routes messages; the arguments are those of ``EdgeHub``."""

    identity: Identity
    leaf_device: str
    router: Router
    session: Session
    counts: Counts
    on_routed: Callable[[Delivery], object]
    on_output: Callable[[RoutedMessage], object]
    on_upstream: Callable[[RoutedMessage], object]
    private_output: str = ""

    async def send(self, message: InputMessage) -> Outcome:
        """Take a message of a leaf device: for the input that it names, else for its routes; waits for room."""
        await self.session.room()
        routed = from_device(message, self.leaf_device, _now())
        if routed.oversize:
            await asyncio.sleep(0)
            return Outcome.REFUSED
        if message.input:
            self._queue(routed, message.input, DEFAULT_PRIORITY, 0, announce=True)
            return Outcome.ROUTED
        _, to_module = self._route(routed, announce=True)
        if to_module:
            return Outcome.ROUTED
        await asyncio.sleep(0)  # what fills no queue never waits for room
        return Outcome.UNROUTED

    def take_output(self, body: bytes, bag: str) -> None:
        """Take a message that the module published with this property bag."""
        message = from_module(body, bag, self.identity.device, self.identity.module, _now())
        self.counts.outputs += 1
        if message.oversize:
            self.counts.too_large += 1
            return
        self.on_output(message)
        if self.private_output and message.system.get("output_name") == self.private_output:
            return
        found, _ = self._route(message, announce=False)
        self.counts.no_route += not found

    def _route(self, message: RoutedMessage, *, announce: bool) -> tuple[int, int]:
        """Send a message where its routes lead; give how many there were, and how many led to the module."""
        found = to_module = 0
        for route in self.router.routes_of(message):
            found += 1
            if route.endpoint is UPSTREAM:
                self.counts.upstream += 1
                self.on_upstream(message)
            elif route.endpoint.module != self.identity.module:
                self.counts.elsewhere += 1
            elif self.session.waiting >= _MAX_QUEUE:
                self.counts.overflow += 1
            else:
                to_module += 1
                self._queue(message, route.endpoint.input, route.priority, route.time_to_live, announce=announce)
        return found, to_module

    def _queue(
        self, message: RoutedMessage, input_name: str, priority: int, time_to_live: int, *, announce: bool
    ) -> None:
        topic = f"{self.identity.topics}/inputs/{input_name}/{bag_for_module(message)}"
        expires = monotonic() + time_to_live if time_to_live else inf
        delivery = Delivery(message, topic, input_name, priority, expires)
        if announce:
            self.on_routed(delivery)
        self.session.enqueue(delivery)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
