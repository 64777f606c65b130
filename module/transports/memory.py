"""A transport without a hub: a test offers messages and sees what is published."""

import asyncio

from ..messages import Offering, OutputMessage


class Memory:
    """Keeps what was published; confirms at once, or when told to.

    Attributes:
        published: every message in order.
        unconfirmed: futures of those not confirmed yet, when ``confirm`` is False.
    """

    def __init__(self, offer: Offering, *, confirm: bool = True) -> None:
        self.offer = offer
        self.published: list[OutputMessage] = []
        self.unconfirmed: list[asyncio.Future[None]] = []
        self._confirm = confirm

    async def start(self) -> None:
        """Nothing to connect."""

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Keep a message."""
        self.published.append(message)
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._confirm:
            confirmation.set_result(None)
        else:
            self.unconfirmed.append(confirmation)
        return confirmation

    async def stop_taking(self) -> None:
        """Nothing to stop."""

    async def stop(self) -> None:
        """Nothing to disconnect."""
