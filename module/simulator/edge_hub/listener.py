"""The listening socket: TLS on port 8883, which can be closed and opened again, with a certificate made anew."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from contextlib import suppress

import trustme

from ...errors import SettingsError

PORT = 8883
"""The SDK connects to no other."""


class Listener:
    """Accepts connections while it is open.

    Attributes:
        trust_bundle: the certificate of the authority that vouches for it, as PEM text.
    """

    def __init__(self, address: str, connection: Callable[[], asyncio.Protocol]) -> None:
        """Take an IP address or a name, whose server certificate is for localhost too; TLS 1.2 or later.

        Raises:
            SettingsError: it is neither.
        """
        self._address, self._connection = address, connection
        authority = trustme.CA()
        self.trust_bundle = authority.cert_pem.bytes().decode()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            certificate = authority.issue_cert(*{address, "localhost", "127.0.0.1"})
        except ValueError as error:  # those of the library that reads names are such, too
            raise SettingsError(f"--listen {address!r} is neither an IP address nor a host name: {error}") from error
        certificate.configure_cert(self._context)
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
