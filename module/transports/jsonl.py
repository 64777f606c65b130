"""Messages from and to files: a message body a line, or a whole message a line; ``.gz`` is understood.

The one place that knows the line formats of ``--telemetry``, ``--messages`` and ``--upstream``.
"""

import asyncio
import gzip
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import orjson

from ..errors import SettingsError
from ..inbox import Inbox
from ..messages import InputMessage, OutputMessage

_JSON = {"content_type": "application/json", "content_encoding": "utf-8"}

_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""In JSON the ends of lines are white space: those in texts are escaped."""


class _Line(msgspec.Struct):
    """One line of a ``--messages`` file."""

    input: str = ""
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw()
    base64: bytes | None = None  # which msgspec decodes


_decode_line = msgspec.json.Decoder(_Line).decode


def open_lines(path: Path) -> BinaryIO:
    """Open a ``.jsonl`` or ``.jsonl.gz`` file for reading bytes.

    Raises:
        SettingsError: it cannot be opened.
    """
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open_lines(path) as lines:
            yield from enumerate(lines, 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def read_telemetry(path: Path, id_prefix: str) -> Iterator[InputMessage]:
    """Give a message for each line: the line is the body, the message id is ``{id_prefix}-{line number}``.

    An empty line is a message with an empty body; only the newline that ends the file is none.
    """
    for number, line in _numbered_lines(path):
        system = {"message_id": f"{id_prefix}-{number}", **_JSON}
        yield InputMessage(body=line.rstrip(b"\r\n"), input="", system=system)


def read_messages(path: Path) -> Iterator[InputMessage]:
    """Give a message for each line ``{"input", "system", "properties", "body" or "base64"}``.

    Raises:
        SettingsError: a line does not have that form; the sentence names it.
    """
    for number, line in _numbered_lines(path):
        try:
            parsed = _decode_line(line)
            body = bytes(parsed.body) if parsed.base64 is None else parsed.base64
        except msgspec.DecodeError as error:
            raise SettingsError(f"{path} line {number} is not a message: {error}") from error
        is_json = parsed.base64 is None and "content_type" not in parsed.system
        system = {**_JSON, **parsed.system} if is_json else parsed.system
        yield InputMessage(body=body, input=parsed.input, system=system, properties=parsed.properties)


def message_line(module: str, message: OutputMessage) -> bytes:
    """Give the line that stands for a message which left this module, newline included.

    The body is inlined byte for byte, but on one line, if content type and encoding say JSON and it is JSON, else as
    ``base64``.
    """
    line: dict[str, object] = {"module": module, "output": message.output}
    line |= {"system": message.system, "properties": message.properties}
    if all(message.system.get(name, "").lower() == value for name, value in _JSON.items()):
        with suppress(orjson.JSONDecodeError):
            orjson.loads(message.body)
            line["body"] = orjson.Fragment(message.body.translate(_ON_ONE_LINE))
    if "body" not in line:
        line["base64"] = b64encode(message.body).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class JsonLines:
    """A transport between files: offers the messages that it is given, writes a line for each one published."""

    def __init__(self, messages: Iterable[InputMessage], inbox: Inbox, out: BinaryIO) -> None:
        self._messages = messages
        self._inbox = inbox
        self._out = out

    async def feed(self) -> int:
        """Offer every message, waiting where there is no room, then close the inbox; gives their number."""
        count = 0
        try:
            for message in self._messages:
                while not self._inbox.offer((message,)):  # noqa: ASYNC110 - on_room may come from any thread
                    await asyncio.sleep(0.001)
                count += 1
        finally:
            self._inbox.close()
        return count

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Write a message as a line; confirmed at once."""
        self._out.write(message_line("replay", message))
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        return confirmed
