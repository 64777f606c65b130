"""The wire between module and hub: a TCP relay in front of the hub's TLS that can cut, hold and slow its traffic."""

import asyncio
import socket
import struct
from contextlib import suppress


class Wire:
    """Listens at port 8883, which the SDK wants, and leads to the hub.

    Attributes:
        silent: nothing is carried either way, and nothing is closed: half open.
        cut_after: so many more bytes towards the module are carried, then the connection is reset in mid-record.
        closed: new connections are reset at once.
        mute: new connections are taken, and nothing is ever said.
        slow: seconds between two pieces of 1,024 bytes.
    """

    def __init__(self, port: int, address: str) -> None:
        self.silent = self.closed = self.mute = False
        self.cut_after = -1
        self.slow = 0.0
        self._address, self._port = address, port
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._mutes: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self._address, 8883)

    async def stop(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.reset()

    def reset(self) -> None:
        """Reset all connections."""
        for pair in list(self._pairs):
            for writer in pair:
                _reset(writer)
        for writer in list(self._mutes):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            _reset(writer)
            return
        if self.mute:
            self._mutes.add(writer)
            with suppress(OSError):
                while await reader.read(4096):
                    pass
            self._mutes.discard(writer)
            writer.close()
            return
        try:
            hub_reader, hub_writer = await asyncio.open_connection(self._address, self._port)
        except OSError:
            _reset(writer)
            return
        pair = (writer, hub_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._carry(reader, hub_writer, to_module=False), self._carry(hub_reader, writer, to_module=True)
            )
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_module: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(1024 if self.slow else 65_536):
                while self.silent and not writer.is_closing():  # noqa: ASYNC110 - a fault flips it
                    await asyncio.sleep(0.02)
                if self.slow:
                    await asyncio.sleep(self.slow)
                if writer.is_closing():
                    return
                if to_module and self.cut_after >= 0:
                    writer.write(data[: self.cut_after])
                    self.cut_after -= len(data)
                    if self.cut_after < 0:
                        self.cut_after = -1
                        await asyncio.sleep(0.01)
                        self.reset()
                        return
                else:
                    writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
