""":9600 — /metrics, /livez, /readyz and a status page; plain HTTP, GET only, every wait and size bounded."""

import asyncio
import html
import logging
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from ..errors import SettingsError
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
        self._connections: dict[asyncio.WriteTransport, str] = {}
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
            self._server = await asyncio.start_server(self._serve, "0.0.0.0", port, limit=_MAX_REQUEST)  # noqa: S104
        except OSError as error:
            raise SettingsError(f"port {port} is taken: set SCORING_HTTP_PORT to a free one ({error})") from error

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; whoever takes too long over it or over the answer is let go."""
        transport = writer.transport
        self._connections[transport] = str((writer.get_extra_info("peername") or ("",))[0])
        if len(self._connections) > _MAX_CONNECTIONS:
            ((most, _),) = Counter(self._connections.values()).most_common(1)
            oldest = next(each for each, peer in self._connections.items() if peer == most)
            del self._connections[oldest]
            oldest.abort()
        try:
            async with asyncio.timeout(_TIMEOUT):
                writer.write(self.answer(await reader.readuntil(b"\r\n\r\n")))
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, RuntimeError, asyncio.LimitOverrunError):  # RuntimeError: uvloop's, when closed
            transport.abort()
        finally:
            self._connections.pop(transport, None)

    def _ready(self) -> tuple[int, str, bytes]:
        reason = self._status.why_not_ready()
        provider = self._status.report().get("provider")
        said = "\n".join([reason or "ready", *([f"provider {provider}"] if provider else [])])
        return (503 if reason else 200), "text/plain", f"{said}\n".encode()

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
