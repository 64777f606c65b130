"""Where messages come from and go to: the seam between the module and a hub, a file or a test.

A transport is given the inbox's ``offer`` and calls it once per message, from whatever thread it likes; it gives
``publish``, whose future is done when the hub has confirmed the message. Siblings: edge_hub, jsonl, memory.
"""

import asyncio
from typing import Protocol

from ..messages import OutputMessage


class Transport(Protocol):
    """What the pipeline and the runtime need of a transport."""

    async def start(self) -> None:
        """Connect and begin to offer messages.

        Raises:
            TransportError: it cannot be reached; the sentence says what to change.
        """

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Send a message; the future is done once the other side has confirmed it.

        Called on the event loop, in order; messages leave in that order. The future fails with UnsendableError alone:
        whatever else goes wrong, the message is sent again.
        """

    async def stop_taking(self) -> None:
        """Offer no further message; publishing goes on."""

    async def stop(self) -> None:
        """Disconnect; nothing can be published afterwards."""
