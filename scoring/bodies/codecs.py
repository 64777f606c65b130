"""Body ↔ request and prediction: the form is chosen by content type and content encoding, else by SCORING_BODY.

JSON and JSON Lines by orjson, MessagePack by msgspec, CSV with a header, text, and bytes as they are.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import orjson

from ..errors import RequestError, ScoringError
from .content_encoding import PLAIN, decompressed, plain
from .content_type import BINARY, ContentType, default_form, read_content_type
from .csv_rows import csv_rows
from .json_body import MAX_ROWS, json_lines, json_value, text_of, text_or_json


class Body(NamedTuple):
    """What came, and what its sender said of it.

    Attributes:
        data: the bytes.
        content_type, content_encoding: as in HTTP; empty if the sender did not say.
        headers: what else the sender said, such as a message's application properties.
    """

    data: bytes
    content_type: str = ""
    content_encoding: str = ""
    headers: Mapping[str, str] = {}


class Rows(list[object]):
    """A decoded body whose form says that each entry is a request of its own, whatever the entries are."""


MAX_NESTED = 3_000_000
"""Arrays and objects in a decompressed body at most, counted by the bytes that may begin one."""

_SMALL = 4096
_PARTING = b"[{,:;\n\t" + bytes(range(0x80, 0xA0))

_MSGPACK_OPENING = bytes(range(0x80, 0xA0))
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def unpacked(body: Body) -> Body:
    """Give a body without its compressions: what decoding it takes can be weighed then.

    Raises:
        RequestError: it is not compressed as it says, or becomes too large.
    """
    if body.content_encoding in PLAIN:
        return body
    data, charsets = decompressed(body.data, body.content_encoding)
    return body._replace(data=data, content_encoding=", ".join(charsets))


def weight(body: Body) -> int:
    """Estimate the bytes of memory that an unpacked body takes once it is decoded.

    A value of JSON, CSV or MessagePack takes some 40 bytes besides its text, whatever its text is: the bytes that begin
    or part values are counted. Small bodies are not looked at: 24 times their size is more than nearly all take.
    """
    data = body.data
    return 24 * len(data) if len(data) < _SMALL else len(data) + 40 * (len(data) - len(data.translate(None, _PARTING)))


def decode(body: Body) -> object:
    """Give the request, or the rows, that the body holds.

    JSON gives its value, JSON Lines and CSV give Rows, MessagePack its value, ``text/plain`` the object or array if it
    is JSON and else the text, ``application/octet-stream``, images, audio and video the bytes.

    Raises:
        RequestError: it is not what it says; the sentence names the byte offset or the line.
    """
    if _is_plain_json(body):
        return json_value(body.data)
    kind, data = read_content_type(body.content_type), _plain(body)
    if kind.form == "bytes":
        return data
    if kind.form == "csv":
        return Rows(_csv(data, kind))
    if kind.form == "jsonl":
        return Rows(json_lines(data))
    return _DECODERS[kind.form](data)


def decode_text(body: Body) -> str:
    """Give the body as text, for a script that parses it itself; MessagePack becomes JSON.

    Raises:
        RequestError: it is not UTF-8 or not what it says; the sentence names the byte offset.
    """
    if _is_plain_json(body):
        return text_of(body.data)
    if read_content_type(body.content_type).form != "msgpack":
        return text_of(_plain(body))
    try:
        return encode_json(_msgpack(_plain(body))).decode()
    except ScoringError as error:
        raise RequestError(f"the body is MessagePack that cannot become JSON for this script: {error}") from None


def decode_json(body: Body) -> object:
    """Give the JSON value that the body holds, whatever its content type says.

    Raises:
        RequestError: it is empty, not UTF-8 or not JSON; the sentence names the byte offset.
    """
    return json_value(body.data if body.content_encoding in PLAIN else _plain(body))


def rows_of(value: object) -> list[object] | None:
    """Give the rows of a decoded body: Rows, or an array of objects or of arrays; None if it is one request.

    Raises:
        RequestError: there are more than MAX_ROWS: each becomes a request, many times as large as its bytes.
    """
    if not isinstance(value, list) or not value:
        return None
    if type(value) is not Rows and not all(isinstance(row, dict | list) for row in value):
        return None
    if len(value) > MAX_ROWS:
        raise RequestError(f"the body has {len(value)} rows, of {MAX_ROWS} at most: send them in several messages")
    return value


def encode_json(prediction: object) -> bytes:
    """Give the prediction as a JSON body; numpy arrays and scalars become arrays and numbers.

    Raises:
        ScoringError: JSON has no form for it; the sentence names its type.
    """
    try:
        return orjson.dumps(prediction, option=_OPTIONS, default=_known)
    except TypeError as error:
        raise ScoringError(f"the prediction cannot be sent as JSON: {error.__cause__ or error}") from error


def encode_msgpack(prediction: object) -> bytes:
    """Give the prediction as a MessagePack body: as encode_json, with NaN, infinities and bytes as they are.

    Raises:
        ScoringError: MessagePack has no form for it; the sentence names its type.
    """
    try:
        return msgspec.msgpack.encode(prediction, enc_hook=_known)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ScoringError(f"the prediction cannot be sent as MessagePack: {error}") from error


def _known(value: object) -> object:
    """Give an encoder a form of a value that it does not know by itself (numpy arrays that are not contiguous)."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _is_plain_json(body: Body) -> bool:
    name = body.content_type
    return body.content_encoding in PLAIN and (name == "application/json" or (not name and default_form() == "json"))


def _plain(body: Body) -> bytes:
    kind = read_content_type(body.content_type)
    charset = None if kind.form in BINARY else kind.parameters.get("charset", "")
    data = plain(body.data, body.content_encoding, charset)
    # An empty array is one byte of MessagePack, compressed next to nothing, and 72 bytes of memory.
    opening = _MSGPACK_OPENING if kind.form == "msgpack" else b"[{"
    if len(data) > MAX_NESTED and len(data) - len(data.translate(None, opening)) > MAX_NESTED:
        raise RequestError(f"the body has more than {MAX_NESTED} arrays and objects: send it in several messages")
    return data


def _csv(data: bytes, kind: ContentType) -> list[object]:
    delimiter = "\t" if kind.name == "text/tab-separated-values" else ""
    return csv_rows(text_of(data), header=kind.parameters.get("header") != "absent", delimiter=delimiter)


def _msgpack(data: bytes) -> object:
    try:
        return msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = f"{error} (byte {len(data)})" if "truncated" in str(error) else str(error)
        raise RequestError(f"the body is not MessagePack: {said}") from None


_DECODERS: dict[str, Callable[[bytes], object]] = {"json": json_value, "text": text_or_json, "msgpack": _msgpack}
