"""Runs a paho client on the event loop, without the thread that it would start.

With a thread of its own every message crosses from paho to the loop and back, three wake-ups and a fight for the
interpreter lock each way. This is paho's documented interface for external event loops, the same in paho 1.6 and 2:
``loop_read``, ``loop_write``, ``loop_misc`` and the socket callbacks.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

_MISC = 5.0
_WAIT = 2.0

_log = logging.getLogger(__name__)


class MqttOnLoop:
    """Drives one paho client whose connect() is called on some other thread, as the SDK does."""

    def __init__(self, paho: Any) -> None:
        """Take a client that is not connected yet; belongs to the event loop that is running."""
        self._paho = paho
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._fd = -1
        self._is_writing = False
        self._misc: asyncio.TimerHandle | None = None
        # paho lets TLS errors out; a connection error ends the connection, as it should.
        paho._sock_send, paho._sock_recv = _plainly(paho._sock_send), _plainly(paho._sock_recv)
        paho.loop_start = lambda: self._on_loop(self._begin)
        paho.loop_stop = lambda force=False: None
        paho.on_socket_register_write = lambda *_: self._soon(self._write)
        paho.on_socket_close = lambda *_: self._on_loop(self._end)

    def _begin(self) -> None:
        socket = self._paho.socket()
        if socket is None:
            return
        # An ack and a prediction are two small writes: else the second waits 40 ms for the other side's TCP ack.
        socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._fd = socket.fileno()
        self._loop.add_reader(self._fd, self._read)
        self._misc = self._loop.call_later(_MISC, self._keep_alive)
        self._write()
        self._read()  # TLS may have decrypted more than the handshake needed

    def _read(self) -> None:
        """Read every packet that is there; TLS can hold some that select() does not see."""
        while self._paho.loop_read() == 0:
            socket = self._paho.socket()
            if socket is None or not socket.pending():
                return

    def _write(self) -> None:
        """Write what is queued; what does not fit into the socket goes when it can take more."""
        self._paho.loop_write()
        wants = self._fd >= 0 and self._paho.want_write()
        if wants and not self._is_writing:
            self._loop.add_writer(self._fd, self._write)
        elif self._is_writing and not wants:
            self._loop.remove_writer(self._fd)
        self._is_writing = wants

    def _keep_alive(self) -> None:
        self._misc = self._loop.call_later(_MISC, self._keep_alive)
        self._paho.loop_misc()

    def _end(self) -> None:
        """Forget the socket; before it is closed, so that its number cannot mean another one meanwhile."""
        if self._misc is not None:
            self._misc.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            if self._is_writing:
                self._loop.remove_writer(self._fd)
        self._fd, self._is_writing, self._misc = -1, False, None

    def _soon(self, callback: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            self._loop.call_soon(callback)
        else:
            self._loop.call_soon_threadsafe(callback)

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


def _plainly(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a socket call of paho fail with what paho expects of one: would block, or connection error."""

    def plain(argument: Any) -> Any:
        try:
            return call(argument)
        except (BlockingIOError, ConnectionError):
            raise
        except OSError as error:
            raise ConnectionResetError(str(error)) from error

    return plain
