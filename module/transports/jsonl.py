"""The line that stands for a message which left a module, and the transport between files."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO

import orjson

from ..inbox import Inbox
from ..messages import InputMessage, OutputMessage
from .message_files import JSON

_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""In JSON the ends of lines are white space: those in texts are escaped."""


def input_line(message: InputMessage) -> bytes:
    """Give the line of a ``--messages`` file that is read as this very message, newline included.

    The body is there as the JSON that it is, to be read and changed by people, if its content type says JSON; else as
    ``base64``.
    """
    line: dict[str, object] = {"input": message.input, "system": message.system, "properties": message.properties}
    body = message.body
    is_json = message.system.get("content_type", "").lower() == JSON["content_type"] and body == body.strip()
    with suppress(orjson.JSONDecodeError):
        if is_json and b"\n" not in body and b"\r" not in body:
            orjson.loads(body)
            line["body"] = orjson.Fragment(body)  # as it came: numbers keep all their digits
    if "body" not in line:
        line["base64"] = b64encode(body).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def message_line(module: str, message: OutputMessage) -> bytes:
    """Give the line that stands for a message which left this module, newline included.

    The body is inlined byte for byte, but on one line, if content type and encoding say JSON and it is JSON, else as
    ``base64``.
    """
    line: dict[str, object] = {"module": module, "output": message.output}
    line |= {"system": message.system, "properties": message.properties}
    if all(message.system.get(name, "").lower() == value for name, value in JSON.items()):
        with suppress(orjson.JSONDecodeError):
            orjson.loads(message.body)
            line["body"] = orjson.Fragment(message.body.translate(_ON_ONE_LINE))
    if "body" not in line:
        line["base64"] = b64encode(message.body).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class JsonLines:
    """A transport between files: offers the messages that it is given, writes a line for each one published."""

    def __init__(self, messages: AsyncIterator[InputMessage], inbox: Inbox, out: BinaryIO) -> None:
        self._messages = messages
        self._inbox = inbox
        self._out = out

    async def feed(self) -> None:
        """Offer every message, waiting where there is no room, then close the inbox."""
        try:
            async for message in self._messages:
                while not self._inbox.offer((message,)):  # noqa: ASYNC110 - on_room may come from any thread
                    await asyncio.sleep(0.001)
        finally:
            self._inbox.close()

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Write a message as a line; confirmed at once."""
        self._out.write(message_line("replay", message))
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        return confirmed
