"""An HTTP client that costs next to nothing: one keep-alive connection, one request under way."""

import asyncio
from typing import Any


class Connection:
    """One keep-alive HTTP connection that POSTs the same body; made again where the server closes it each time."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        """Take what to send; connects with the first post()."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self._port = port
        self._wire: _Wire | None = None

    async def post(self) -> bytes:
        """Send the request; gives the answer's body. Raises OSError for an answer that is not 200."""
        loop = asyncio.get_running_loop()
        if self._wire is None or self._wire.is_closed:
            _, self._wire = await loop.create_connection(_Wire, "127.0.0.1", self._port)
        return await self._wire.exchange(self._request, loop.create_future())

    def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.transport.abort()


class _Wire(asyncio.Protocol):
    """One TCP connection with at most one request under way."""

    transport: Any

    def __init__(self) -> None:
        self.is_closed = False
        self._data = b""
        self._answer: asyncio.Future[bytes] | None = None

    def exchange(self, request: bytes, answer: asyncio.Future[bytes]) -> asyncio.Future[bytes]:
        """Send a request; gives the future of its answer's body."""
        self._answer = answer
        self.transport.write(request)
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what waits for an answer."""
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._data += data
        head, _, body = self._data.partition(b"\r\n\r\n")
        head = head.lower()
        at = head.find(b"content-length: ")
        if at < 0 or len(body) < int(head[at + 16 :].split(b"\r\n", 1)[0]) or self._answer is None:
            return
        self._data = b""
        if b"connection: close" in head:
            self.is_closed = True
            self.transport.close()
        if head.startswith(b"http/1.1 200"):
            self._answer.set_result(body)
        else:
            self._answer.set_exception(OSError(f"{head[:60]!r} {body[:200]!r}"))


async def get(port: int, path: str) -> tuple[int, str]:
    """Ask a status page; gives status and body, (0, "") while nobody answers."""
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
    except (OSError, TimeoutError):
        return 0, ""
    return (int(head.split()[1]), body) if head else (0, "")
