"""The listening socket: TLS on port 8883, which can be closed and opened again."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from contextlib import suppress

from ...errors import SettingsError

PORT = 8883
"""The SDK connects to no other."""


class Listener:
    """Accepts connections while it is open."""

    def __init__(self, address: str, context: ssl.SSLContext, connection: Callable[[], asyncio.Protocol]) -> None:
        self._address, self._context, self._connection = address, context, connection
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen.

        Raises:
            SettingsError: the port is taken or the address is not this machine's.
        """
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connection,
                self._address,
                PORT,
                ssl=self._context,
                ssl_handshake_timeout=10.0,
                ssl_shutdown_timeout=2.0,
                reuse_address=True,
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = "is taken, stop what listens there or choose another address with --listen"
            else:
                reason = "cannot be opened, choose an address of this machine with --listen"
            raise SettingsError(f"port {PORT} of {self._address} {reason}") from error

    async def close(self, drop_connections: Callable[[], None]) -> None:
        """Stop listening and drop all connections; returns when the port is free."""
        if self._server is not None:
            self._server.close()
            drop_connections()
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._server.wait_closed()
            self._server = None
