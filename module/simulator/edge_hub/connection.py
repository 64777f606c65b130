"""One TCP connection: bytes ↔ packets, and the limits of a single client."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import cast

from ...messages import OVERSIZE
from . import packets
from .packets import Connect, Packet, ProtocolError

_log = logging.getLogger(__name__)

_CONNECT_LIMIT = 60.0
"""Seconds until CONNECT must have come (`ConnectArrivalTimeout` in edgeHub's `appsettings_hub.json`)."""


class Connection(asyncio.Protocol):
    """One client; a packet over 262,144 bytes closes it (`MaxInboundMessageSize`)."""

    def __init__(
        self,
        on_open: Callable[["Connection"], None],
        on_packet: Callable[["Connection", Packet], None],
        on_close: Callable[["Connection"], None],
    ) -> None:
        """Take who is told of its begin, of each packet that may come now, and of its end."""
        self.connected = False
        self.expires: float | None = None
        self._on_open, self._on_packet, self._on_close = on_open, on_packet, on_close
        self._decoder = packets.Decoder(OVERSIZE)
        self._transport: asyncio.Transport
        self._out: list[bytes] = []
        self._reading = False
        self._keep_alive = _CONNECT_LIMIT
        self._heard_at = monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._on_open(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the hub."""
        self._on_close(self)

    def pause_writing(self) -> None:
        """Read nothing while the client does not read: that bounds what is written."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take bytes; what they cause to be sent leaves in one write."""
        self._heard_at = monotonic()
        self._reading = True
        try:
            for packet in self._decoder.feed(data):
                self._take(packet)
        except ProtocolError as error:
            _log.warning("connection closed: %s", error)
            self.close()
        finally:
            self._reading = False
            self._flush()

    def send(self, data: bytes) -> None:
        """Send bytes, with everything else that the bytes in hand cause."""
        self._out.append(data)
        if not self._reading:
            self._flush()

    def close(self) -> None:
        """Close at once; what was sent before still leaves."""
        self._flush()
        self._transport.close()
        self.connected = False

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._out.clear()
        self._transport.abort()
        self.connected = False

    def accept(self, packet: Connect, *, session_present: bool, expires: float | None) -> None:
        """Answer CONNECT with yes; ``expires`` in monotonic seconds."""
        self.connected = True
        self.expires = expires
        self._keep_alive = packet.keep_alive * 1.5
        self.send(packets.connack(0, session_present=session_present))

    def tick(self, now: float) -> None:
        """Close if the client was silent for too long or its token has expired; to be called now and then."""
        if self.expires is not None and now >= self.expires:
            _log.warning("connection closed: its token has expired")
            self.close()
        elif self._keep_alive and now - self._heard_at > self._keep_alive:
            _log.warning("connection closed: nothing came for %.0f s", now - self._heard_at)
            self.close()

    def _take(self, packet: Packet) -> None:
        is_connect = isinstance(packet, Connect)
        if is_connect and self.connected:
            raise ProtocolError("a second CONNECT on one connection")
        if is_connect or self.connected:
            self._on_packet(self, packet)
        elif not self._transport.is_closing():
            raise ProtocolError("the first packet is not CONNECT")

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()
