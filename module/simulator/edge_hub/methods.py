"""Direct methods: a call to the module and its answer (edgeHub `DeviceMessageHandler.InvokeMethodAsync`)."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import NamedTuple
from urllib.parse import quote

import orjson


class MethodResult(NamedTuple):
    """The answer to a direct method: 404 if the module does not listen, 504 if it did not answer in time."""

    status: int
    body: object = None


class Methods:
    """Calls that wait for their answers; each has a request id."""

    def __init__(self, send: Callable[[str, bytes], bool]) -> None:
        """Take what sends topic and bytes to the module, and says whether the module listens."""
        self._send = send
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[MethodResult]] = {}

    async def invoke(self, name: str, body: object = None, limit: float = 30.0) -> MethodResult:
        """Call a direct method of the module with any JSON value, and wait ``limit`` seconds at most for the answer."""
        request_id = f"{next(self._ids):x}"
        waiting: asyncio.Future[MethodResult] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiting
        try:
            if not self._send(f"$iothub/methods/POST/{quote(name, safe='')}/?$rid={request_id}", orjson.dumps(body)):
                return MethodResult(404)
            async with asyncio.timeout(limit):
                return await waiting
        except TimeoutError:
            return MethodResult(504)
        finally:
            del self._waiting[request_id]

    def answered(self, request_id: str, status: str, body: bytes) -> None:
        """Take the module's answer; one that nobody waits for is forgotten. A bad status is 400000, as in edgeHub."""
        waiting = self._waiting.get(request_id.lower())
        if waiting is None or waiting.done():
            return
        try:
            document = orjson.loads(body) if body else None
        except orjson.JSONDecodeError:
            document = body.decode(errors="replace")
        waiting.set_result(MethodResult(int(status) if status.isdigit() else 400_000, document))
