"""Runs a paho client on the event loop, without the thread that it would start.

With a thread of its own every message crosses from paho to the loop and back, three wake-ups and a fight for the
interpreter lock each way. Here the loop reads and writes the socket; what is read is cut into packets and shown to the
tap first, and what the tap does not take is paho's, through its documented interface for external event loops
(``loop_read``, ``loop_write``, ``loop_misc`` and the socket callbacks), the same in paho 1.6 and 2.

Whatever raises here, in paho, in the SDK's callbacks or at the tap, ends this connection, and a new one is made: a live
socket that nobody reads from any more would be deaf until the hub misses our pings.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any, Protocol

from .mqtt_packets import Packet, next_packet

_MISC = 5.0
_WAIT = 2.0
_RECORD = 16_384
"""Bytes that one TLS record holds at most."""

_BURST = 64
"""Records that are read in one go at most."""

_LOST = 7
"""What paho says of a lost connection."""

_NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)

_log = logging.getLogger(__name__)


class Taker(Protocol):
    """Who sees the packets before paho does."""

    def take(self, data: bytes, start: int, packet: Packet) -> bool:
        """Take a packet, or leave it to paho; whatever it raises ends the connection."""

    def taken(self) -> None:
        """Hear that everything that was there has been read."""


class MqttOnLoop:
    """Drives one paho client whose connect() is called on some other thread, as the SDK does."""

    def __init__(self, paho: Any, taker: Taker) -> None:
        """Take a client that is not connected yet; belongs to the event loop that is running."""
        self._paho = paho
        self._taker = taker
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._socket: Any = None
        self._part = b""
        self._for_paho = bytearray()
        self._at_end = False
        self._out = bytearray()
        self._is_writing = False
        self._flushing: asyncio.Handle | None = None
        self._turns = 0
        self._misc: asyncio.TimerHandle
        paho._sock_send, paho._sock_recv = self.write, self._give
        paho.loop_start = lambda: self._on_loop(lambda: self._safely(self._begin))
        paho.loop_stop = lambda force=False: None
        paho.on_socket_register_write = lambda *_: self._loop.call_soon_threadsafe(self._safely, paho.loop_write)
        paho.on_socket_close = lambda *_: self._on_loop(self._end)

    def write(self, data: bytes, turns: int = 1) -> int:
        """Send bytes in one of the loop's next turns, together with all others until then; gives their number."""
        self._out += data
        self._turns = min(self._turns, turns) if self._flushing else turns
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._safely, self._flush)
        return len(data)

    def _begin(self) -> None:
        socket = self._paho.socket()
        if socket is None:
            return
        # An ack and a prediction are two small writes: else the second waits 40 ms for the other side's TCP ack.
        socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._socket = socket
        self._loop.add_reader(socket, self._safely, self._read)
        self._misc = self._loop.call_later(_MISC, self._safely, self._keep_alive)
        self._paho.loop_write()
        self._flush()
        self._read()  # TLS may have decrypted more than the handshake needed

    def _read(self) -> None:
        """Read what is there, and tell the taker when that was all."""
        for _ in range(_BURST):
            if self._socket is None:
                break
            try:
                data = self._socket.recv(_RECORD)
            except _NOT_NOW:
                break
            except OSError:
                data = b""  # TLS errors too
            if not data:
                self._end_of_connection()
                break
            self._cut(data)
        self._taker.taken()

    def _cut(self, data: bytes) -> None:
        """Give each whole packet to whom it is for, and keep what is left."""
        data = self._part + data if self._part else data
        start = 0
        while self._socket is not None and (packet := next_packet(data, start)) is not None:
            if not self._taker.take(data, start, packet):
                self._for_paho += data[start : packet.end]
                self._paho.loop_read()
            start = packet.end
        self._part = data[start:]

    def _give(self, size: int) -> bytes:
        """Be the socket that paho reads from."""
        if not self._for_paho and not self._at_end:
            raise BlockingIOError
        data = bytes(self._for_paho[:size])
        del self._for_paho[:size]
        return data

    def _end_of_connection(self) -> None:
        """Let paho read the end of the connection, and close."""
        self._at_end = True
        self._for_paho.clear()
        self._paho.loop_read()

    def _safely(self, step: Callable[[], object]) -> None:
        """Do what the other side can make fail: then this connection has ended."""
        try:
            step()
        except Exception as error:
            sent = "edgeHub sent what is no MQTT: " if isinstance(error, ValueError) else ""
            _log.warning("the connection to edgeHub is closed: %s%r", sent, error)
            self._abort()

    def _abort(self) -> None:
        """Close, through paho if it still can, else by hand."""
        with suppress(Exception):
            self._end_of_connection()
        socket = self._socket
        if socket is None:
            return
        self._at_end = True
        self._end()
        socket.close()
        self._paho.on_disconnect(self._paho, None, _LOST)

    def _flush(self) -> None:
        """Send what was written; what does not fit into the socket goes when it can take more."""
        self._turns -= 1
        if self._turns > 0:
            self._flushing = self._loop.call_soon(self._safely, self._flush)
            return
        self._flushing = None
        if self._socket is None:
            return
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except _NOT_NOW:
            pass
        except OSError:
            self._end_of_connection()
        self._write_later(self._socket is not None and bool(self._out))

    def _write_later(self, wants: bool) -> None:
        if wants and not self._is_writing:
            self._loop.add_writer(self._socket, self._safely, self._flush)
        elif self._is_writing and not wants:
            self._loop.remove_writer(self._socket)
        self._is_writing = wants

    def _keep_alive(self) -> None:
        self._misc = self._loop.call_later(_MISC, self._safely, self._keep_alive)
        self._paho.loop_misc()

    def _end(self) -> None:
        """Forget the socket; before it is closed, so that its number cannot mean another one meanwhile."""
        if self._socket is None:
            return
        if not self._at_end:
            self._flush()  # paho's DISCONNECT
        self._misc.cancel()
        self._loop.remove_reader(self._socket)
        self._write_later(False)
        self._socket = None

    def _on_loop(self, callback: Callable[[], None]) -> None:
        """Call on the event loop and wait for it; the loop itself never waits for the SDK's threads."""
        if threading.get_ident() == self._thread:
            callback()
            return
        called: Future[None] = Future()

        def call() -> None:
            callback()
            called.set_result(None)

        try:
            self._loop.call_soon_threadsafe(call)
            called.result(_WAIT)
        except (RuntimeError, TimeoutError):
            _log.debug("the event loop is closed or busy: the MQTT client's socket is left to it")
