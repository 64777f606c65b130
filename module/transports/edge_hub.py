"""edgeHub through azure-iot-device, kept alive: whenever the connection ends, the client is made anew.

The SDK's own reconnecting can end for good without a word (one refused CONNACK, one failed renewal of the token). Here
a client lives for one connection: whatever ends it is answered the same way, and nothing of an old connection (packet
ids, half-sent messages) can reach a new one. Unconfirmed messages are published again, in order.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..errors import SettingsError, TransportError
from ..inbox import Inbox
from ..messages import OutputMessage
from .edge_hub_tap import Tap
from .sdk_client import ThreadForEach, never, new_client, reason, shut_down

_PAUSE, _MAX_PAUSE = 0.25, 60.0
_STABLE, _MAX_FLAP = 10.0, 5.0
"""Seconds that a connection must last for the pause before the next one to be short again; its longest."""

_LOOKS = 4
"""How often it is looked, within the stall time-out, whether anything has been confirmed."""

_CALL_TIMEOUT = 30.0
_STOP_TIMEOUT = 1.5
"""Seconds that a call of the SDK may take, and its end when the process stops: edgeAgent waits for 10 in all."""

_log = logging.getLogger(__name__)


_Pending = tuple[OutputMessage, asyncio.Future[None]]
"""An output message on its way, and its confirmation."""


@dataclass(eq=False, repr=False)
class EdgeHub:
    """The transport between edgeHub and the inbox.

    Attributes:
        inbox: gets the input messages; once it is closed, none: they stay un-acked with the hub.
        environment: the variables by which the SDK finds edgeHub.
        hub_timeout: seconds without a connection after which the hub is given up.
        stall_timeout: seconds without a confirmation after which a connection counts as dead.
        connected: told of the SDK's client after every connect, for twin and methods.
        is_instant: answers follow in the same moment: an ack waits for the answer, to leave with it.
        connects: how many connections were made.
        trouble: why nothing can come or leave at present; empty if it can.
    """

    inbox: Inbox
    environment: Mapping[str, str]
    _: KW_ONLY
    hub_timeout: float
    stall_timeout: float
    connected: Callable[[Any], None]
    is_instant: bool = False
    connects: int = 0
    trouble: str = "not connected to edgeHub"

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tap: Tap | None = None
        self._client: Any = None
        self._pending: deque[_Pending] = deque()  # some behind an unconfirmed one may be done
        self._lost = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._pause = _PAUSE

    async def start(self) -> None:
        """Begin to connect, and stay connected until stop(); returns once the first connection stands.

        Raises:
            TransportError: the hub could not be reached within the time-out.
        """
        self._loop.set_default_executor(ThreadForEach())
        first: asyncio.Future[None] = self._loop.create_future()
        self._keeping = asyncio.create_task(self._keep(first))
        await asyncio.wait((first, self._keeping), return_when=asyncio.FIRST_COMPLETED)
        if self._keeping.done():
            self._keeping.result()

    async def gone(self) -> None:
        """Wait until the hub is given up.

        Raises:
            TransportError: it could not be reached, or an old client could not be shut down.
        """
        if self._keeping is not None:
            await asyncio.shield(self._keeping)

    async def _keep(self, first: asyncio.Future[None]) -> None:
        """Connect, wait for the end of the connection, and again."""
        while True:
            client = await self._connect_patiently()
            if not first.done():
                first.set_result(None)
            self.connected(client)
            since = time.monotonic()
            await self._until_lost()
            self.trouble = "the connection to edgeHub is lost"
            _log.warning("%s: a new client is made", self.trouble)
            self._tap = self._client = None
            await shut_down(client, _CALL_TIMEOUT)
            # Two processes with one identity throw each other out: not as fast as they can.
            self._pause = _PAUSE if time.monotonic() - since > _STABLE else min(2 * self._pause, _MAX_FLAP)
            await asyncio.sleep(self._pause)

    async def _connect_patiently(self) -> Any:
        left, pause = self.hub_timeout, _PAUSE
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(max(_PAUSE, left)):
                    return await self._connect()
            except SettingsError:
                raise
            except Exception as error:
                # No try takes longer: what does is a SIGSTOP or a `docker pause`, which is not the hub's.
                left -= min(time.monotonic() - began, 3 * _CALL_TIMEOUT) + pause
                if left <= 0:
                    raise TransportError(
                        f"edgeHub was not reached within {self.hub_timeout:g} s (SCORING_HUB_TIMEOUT_S), "
                        f"is it running and is its name right? {reason(error)}"
                    ) from error
                self.trouble = f"edgeHub cannot be reached, next try in {pause:.2g} s: {reason(error)}"
                _log.warning("%s", self.trouble)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)

    async def _connect(self) -> Any:
        async with asyncio.timeout(_CALL_TIMEOUT):
            client = await asyncio.to_thread(new_client, self.environment)  # which asks the workload API
        try:
            self._lost = lost = asyncio.Event()  # a new one: an old client may report its end late
            self.inbox.connected()
            tap = Tap(client, self.inbox, lost.set, is_instant=self.is_instant)
            async with asyncio.timeout(_CALL_TIMEOUT):
                await client.connect()
                # Makes the SDK subscribe, and waits for that: not on the event loop. The tap takes the messages.
                await asyncio.to_thread(setattr, client, "on_message_received", never)
        except BaseException:
            await shut_down(client, _CALL_TIMEOUT)
            raise
        self.connects += 1
        self.trouble = ""
        self._tap, self._client = tap, client
        for message, confirmation in self._unconfirmed():
            tap.publish(message, confirmation)
        tap.make_room()  # what came before this was held if there was no room then
        return client

    async def _until_lost(self) -> None:
        """Wait for the end of the connection, or until it confirms nothing any more.

        Counted in looks, of which a process that is stopped makes none, and from the last look at which anything was
        confirmed: a hub may be slow.
        """
        waiting: list[_Pending] = []
        silent = 0
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(self.stall_timeout / _LOOKS):
                    await self._lost.wait()
            except TimeoutError:
                if not waiting or any(confirmation.done() for _, confirmation in waiting):
                    waiting, silent = self._unconfirmed(), 0
                    continue
                silent += 1
                if silent == _LOOKS:
                    _log.warning("edgeHub has confirmed nothing for %g s", self.stall_timeout)
                    return

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Send a message; the future is done when the hub has it, on this connection or a later one."""
        while self._pending and self._pending[0][1].done():
            self._pending.popleft()
        confirmation: asyncio.Future[None] = self._loop.create_future()
        self._pending.append((message, confirmation))
        if self._tap is not None:
            self._tap.publish(message, confirmation)
        return confirmation

    def _unconfirmed(self) -> list[_Pending]:
        return [pending for pending in self._pending if not pending[1].done()]

    @property
    def held(self) -> int:
        """How many input messages wait, un-acked, for room in the inbox."""
        return self._tap.held if self._tap is not None else 0

    def make_room(self) -> None:
        """Offer the held input messages again; from any thread, whenever the inbox has got room."""
        tap = self._tap
        if tap is not None and tap.held:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(tap.make_room)

    async def stop(self) -> None:
        """Disconnect; what is not confirmed yet stays so."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait((self._keeping,), timeout=_STOP_TIMEOUT)
        client, self._tap, self._client = self._client, None, None
        if client is not None:
            try:
                await shut_down(client, _STOP_TIMEOUT)
            except TransportError as error:
                _log.warning("%s", error)
