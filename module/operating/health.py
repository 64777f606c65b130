""":9600 — /metrics, /livez, /readyz and a status page; plain HTTP, GET only, every wait and size bounded."""

import asyncio
import html
import logging
import socket
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from ..errors import SettingsError
from ..forks import keep_from_forks
from .metrics import CONTENT_TYPE, Metrics
from .status import Status

_TIMEOUT = 3.0
_MAX_REQUEST = 8192
_MAX_CONNECTIONS = 64
"""Seconds and bytes that a request may take, its answer included; connections at a time."""

_log = logging.getLogger(__name__)


class Health:
    """A small HTTP server on the event loop: while the loop hangs, /livez does not answer, which is the truth.

    One connection too many ends another, the oldest of the peer that has the most: whatever hangs, a probe gets in.
    """

    def __init__(self, metrics: Metrics, status: Status) -> None:
        self._metrics = metrics
        self._status = status
        self._server: asyncio.Server | None = None
        self._connections: dict[_Connection, str] = {}
        self._pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, CONTENT_TYPE, self._metrics.render()),
            "/livez": lambda: (200, "text/plain", b"alive\n"),
            "/readyz": self._ready,
            "/": self._page,
        }

    async def start(self, port: int) -> None:
        """Listen on every address of the container.

        Raises:
            SettingsError: the port is taken.
        """
        try:
            listening = socket.create_server(("0.0.0.0", port))  # noqa: S104
        except OSError as error:
            raise SettingsError(f"port {port} is taken: set SCORING_HTTP_PORT to a free one ({error})") from error
        keep_from_forks(listening)
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), sock=listening)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def opened(self, connection: "_Connection", peer: str) -> None:
        """Hear of a connection, and end one if there are too many."""
        self._connections[connection] = peer
        if len(self._connections) > _MAX_CONNECTIONS:
            ((most, _),) = Counter(self._connections.values()).most_common(1)
            next(each for each, peer in self._connections.items() if peer == most).end()

    def closed(self, connection: "_Connection") -> None:
        """Hear of its end."""
        self._connections.pop(connection, None)

    def _ready(self) -> tuple[int, str, bytes]:
        reason = self._status.why_not_ready()
        provider = self._status.report().get("provider")
        lines = "\n".join([reason or "ready", *([f"provider {provider}"] if provider else [])])
        return (503 if reason else 200), "text/plain", f"{lines}\n".encode()

    def _page(self) -> tuple[int, str, bytes]:
        rows = "".join(f"<tr><th>{html.escape(k)}<td>{html.escape(v)}" for k, v in self._status.report().items())
        links = " · ".join(f'<a href="{path}">{path}</a>' for path in self._pages if path != "/")
        style = "body{font:16px system-ui;margin:3em}th{text-align:left;padding-right:2em}"
        page = f"<!doctype html><title>scoring-module</title><style>{style}</style><table>{rows}</table><p>{links}"
        return 200, "text/html; charset=utf-8", page.encode()

    def answer(self, request: bytes) -> bytes:
        """Give the whole answer to a request."""
        method, _, rest = request.decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        page = self._pages.get(path)
        if method not in ("GET", "HEAD"):
            status, kind, body = 405, "text/plain", b"only GET\n"
        elif page is None:
            status, kind, body = 404, "text/plain", f"try {', '.join(self._pages)}\n".encode()
        else:
            try:
                status, kind, body = page()
            except Exception:
                _log.exception("the page %s fails: please report this", path)
                status, kind, body = 500, "text/plain", b"this page fails, the log says why\n"
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        )
        return f"{head}Connection: close\r\n\r\n".encode() + (b"" if method == "HEAD" else body)


class _Connection(asyncio.Protocol):
    """One request and its answer; whoever takes too long over either is let go."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(_TIMEOUT, self.end)
        self._health.opened(self, str((transport.get_extra_info("peername") or ("",))[0]))

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is whole; nothing that follows is of interest."""
        if self._transport.is_closing():
            return
        self._request += data
        if b"\r\n\r\n" in self._request:
            self._transport.write(self._health.answer(self._request))
            self._transport.close()
        elif len(self._request) > _MAX_REQUEST:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        self._timer.cancel()
        self._health.closed(self)

    def end(self) -> None:
        """Let go of the peer at once."""
        self._health.closed(self)
        self._transport.abort()
