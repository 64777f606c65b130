"""Messages from files and pipes: a body a line, a whole message a line, a table's row, or the file as the only body.

A file is opened when it is asked for, once, and read as its messages are taken.
"""

import asyncio
import gzip
import mimetypes
import os
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import orjson

from scoring.bodies.csv_rows import read_csv
from scoring.bodies.forms import FORMS, read_content_type
from scoring.bodies.json_body import BOM
from scoring.bodies.plain_values import encode
from scoring.errors import RequestError, meant

from ..errors import SettingsError
from ..messages import InputMessage
from ..property_bag import SYSTEM_PROPERTIES

JSON = {"content_type": "application/json", "content_encoding": "utf-8"}

_LONGEST = 16 << 20
"""Bytes of a line, or of a file that is one body, at most."""

_WHOLE = {".msgpack": "application/msgpack", ".bin": "application/octet-stream"}
_MEDIA = ("image/", "audio/", "video/")
_DELIMITERS = {".csv": "", ".tsv": "\t"}
_AHEAD = 16
_FORM = 'a line is {"input", "system", "properties", "body" or "base64"}'


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a ``--messages`` file; module and output are what ``--upstream`` writes besides."""

    input: str = ""
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw()
    base64: bytes | None = None  # which msgspec decodes
    module: str = ""
    output: str = ""


_decode_line = msgspec.json.Decoder(_Line).decode


def may_wait(path: Path) -> bool:
    """Say whether reading a file waits for somebody who writes: standard input, a pipe."""
    return str(path) == "-" or path.is_fifo()


def read_telemetry(path: Path, id_prefix: str) -> Iterator[InputMessage]:
    """Give a message for each body in a file, ``-`` for standard input; its id is ``{id_prefix}-{number}``, from 1.

    By the name: a row of a CSV file is a JSON object; a picture, a sound, MessagePack and a ``.json`` that is one value
    are one body; else each line is one, an empty one too. ``.gz`` is unpacked.

    Raises:
        SettingsError: it cannot be read, is too large for what it is, or is no CSV.
    """
    bodies = _bodies(path, _open(path))
    return (
        InputMessage(body, "", {"message_id": f"{id_prefix}-{number}", **system})
        for number, (body, system) in enumerate(bodies, 1)
    )


def read_messages(path: Path) -> Iterator[InputMessage]:
    """Give a message for each line ``{"input", "system", "properties", "body" or "base64"}``.

    The body is the JSON that stands there; with a content type that is not JSON, a text stands for itself.

    Raises:
        SettingsError: a line does not have that form; the sentence names it.
    """
    lines = _lines(path, _open(path))
    return (_message(path, number, line) for number, line in enumerate(lines, 1))


async def arriving(messages: Iterator[InputMessage], *, wait: bool) -> AsyncIterator[InputMessage]:
    """Give messages; with ``wait``, those read before go their way while the next one is waited for.

    A thread of our own reads them then: what an executor runs would have to come to its end before the process may.
    """
    if not wait:
        for message in messages:
            yield message
        return
    loop = asyncio.get_running_loop()
    read: asyncio.Queue[InputMessage | Exception | None] = asyncio.Queue(_AHEAD)

    def pass_on() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to read for
            try:
                for message in messages:
                    asyncio.run_coroutine_threadsafe(read.put(message), loop).result()
                end = None
            except SettingsError as error:
                end = error
            asyncio.run_coroutine_threadsafe(read.put(end), loop).result()

    threading.Thread(target=pass_on, name="reading", daemon=True).start()
    while (told := await read.get()) is not None:
        if isinstance(told, Exception):
            raise told
        yield told


def _open(path: Path) -> BinaryIO:
    try:
        if str(path) == "-":
            if getattr(sys.stdin, "name", "") == os.devnull:  # what stands in for a closed one
                raise SettingsError("cannot read standard input: it is closed")
            return os.fdopen(os.dup(0), "rb")  # a forked process has it too
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error


def _bodies(path: Path, file: BinaryIO) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Give the bodies of a file by its type, with the system properties that say what they are."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    kind = _WHOLE.get(name.suffix.lower()) or mimetypes.guess_type(name.name)[0] or ""
    if name.suffix.lower() in _DELIMITERS:
        yield from ((row, JSON) for row in _rows(path, file, _DELIMITERS[name.suffix.lower()]))
    elif kind in _WHOLE.values() or kind.startswith(_MEDIA):
        yield _whole(path, file), {"content_type": kind}
    elif name.suffix.lower() == ".json":
        data = _whole(path, file)
        with suppress(orjson.JSONDecodeError):
            orjson.loads(data)
            yield data, JSON
            return
        yield from ((line, JSON) for line in data.splitlines())
    else:
        yield from ((line, JSON) for line in _lines(path, file))


def _rows(path: Path, file: BinaryIO, delimiter: str) -> Iterator[bytes]:
    try:
        text = (_decoded(line, number) for number, line in enumerate(_lines(path, file), 1))
        for row in read_csv(text, delimiter=delimiter):
            yield encode(row)
    except RequestError as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode() + "\n"
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} of line {number} of the CSV"
        raise RequestError(f"{where} is not UTF-8: save the file in that character set") from None


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Give the lines without their ends and without the file's byte order mark, and close the file."""
    try:
        with file:
            for number, line in enumerate(iter(partial(file.readline, _LONGEST), b""), 1):
                if len(line) == _LONGEST:
                    raise SettingsError(f"{path} line {number} is longer than {_LONGEST} bytes")
                yield (line.removeprefix(BOM) if number == 1 else line).rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def _whole(path: Path, file: BinaryIO) -> bytes:
    try:
        with file:
            data = file.read(_LONGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    if len(data) > _LONGEST:
        raise SettingsError(f"{path} is one body, of {_LONGEST} bytes at most: write a body a line into a .jsonl file")
    return data


def _message(path: Path, number: int, line: bytes) -> InputMessage:
    """Read a line of a ``--messages`` file."""
    try:
        parsed = _decode_line(line)
        body = bytes(parsed.body)
        if (parsed.base64 is None) == (not body):
            raise msgspec.ValidationError("it needs either a body or a base64")
        names = sorted(SYSTEM_PROPERTIES.values())
        if unknown := sorted(parsed.system.keys() - names):
            known = meant(unknown[0], names) or f", it may have {', '.join(names)}"
            raise msgspec.ValidationError(f"system has the unknown name {unknown[0]}{known}")
        if hubs := next((name for name in parsed.properties if name.startswith("$.")), ""):
            raise msgspec.ValidationError(f"properties has {hubs}, a name that is the hub's: see system")
        kind = parsed.system.get("content_type", "")
        if kind and body.startswith(b'"') and read_content_type(kind).form is not FORMS["json"]:
            body = msgspec.json.decode(body, type=str).encode()
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SettingsError(f"{path} line {number} is not a message: {error}; {_FORM}") from error
    system = parsed.system if kind or parsed.base64 is not None else {**JSON, **parsed.system}
    return InputMessage(body if parsed.base64 is None else parsed.base64, parsed.input, system, parsed.properties)
