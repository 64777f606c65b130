"""Floor: an HTTP server that reads a request and answers with a constant; shows what the load itself can do."""

import asyncio
import sys

import uvloop

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"y":1.0}'


class Nothing(asyncio.Protocol):
    """Answers each request; they come in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self._transport.write(_ANSWER)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Nothing, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
