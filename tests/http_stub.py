"""An HTTP server on loopback that answers what a function says, plain or with TLS."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import trustme


class Asked:
    """A request.

    Attributes:
        method: ``GET`` and the like.
        target: path and query as they came.
        path: the path alone, unquoted.
        query: name → values.
        headers: by name in any case; ``headers.get(name)``.
    """

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        split = urlsplit(handler.path)
        self.method, self.target, self.headers = handler.command, handler.path, handler.headers
        self.path, self.query = unquote(split.path), parse_qs(split.query)
        self._stream = handler.rfile

    @cached_property
    def body(self) -> bytes:
        """The whole body."""
        return self._stream.read(int(self.headers.get("Content-Length") or 0))

    def first(self, size: int) -> bytes:
        """Give the body's first bytes and leave the rest on the line; hang up after this."""
        return self._stream.read(size)


@dataclass(frozen=True)
class Answer:
    """What is answered: bytes as they are, any other document as JSON; None is an empty body."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """What is sent."""
        if self.document is None:
            return b""
        return self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()


def tls(authority_file: Path, *names: str, ends: datetime | None = None) -> ssl.SSLContext:
    """Give a server's side of TLS for these names, until then, and write the certificate of who signed it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=ends).configure_cert(context)
    return context


@contextmanager
def serving(answer: Callable[[Asked], Answer | None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve until the block ends; gives the port.

    Args:
        answer: gives the answer to a request, in a thread of its connection; None hangs up instead.
        context: the server's side of TLS; None: plain HTTP.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer)) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(5)


def _handler(answer: Callable[[Asked], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            asked = Asked(self)
            given = answer(asked)
            if given is None:
                self.close_connection = True
                return
            _ = asked.body  # a connection that is kept must not begin its next request with the rest of this one
            self.send_response(given.status)
            for name, value in {**given.headers, "Content-Length": str(len(given.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler
