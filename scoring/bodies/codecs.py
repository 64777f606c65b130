"""Body → request: unpacked, in the form that its content type or SCORING_BODY says, as a value, a text or rows."""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from ..errors import RequestError
from .content_encoding import PLAIN, decompressed, plain
from .forms import ContentType, Rows, default_form, read_content_type
from .json_body import MAX_ROWS, json_value, text_of


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


MAX_NESTED = 3_000_000
"""Arrays and objects in a decompressed body at most, counted by the bytes that may begin one."""

_SMALL = 4096
_PARTING = b"[{,:;\n\t" + bytes(range(0x80, 0xA0))


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
    kind, data = _read(body)
    return kind.form.decode(data, kind)


def decode_text(body: Body) -> str:
    """Give the body as text, for a script that parses it itself; MessagePack becomes JSON.

    Raises:
        RequestError: it is not UTF-8 or not what it says; the sentence names the byte offset.
    """
    if _is_plain_json(body):
        return text_of(body.data)
    kind, data = _read(body)
    if not kind.form.title:
        return text_of(data)
    try:
        return orjson.dumps(kind.form.decode(data, kind), option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError as error:
        what = f"{kind.form.title} that cannot become JSON for this script"
        raise RequestError(f"the body is {what}: {error}") from None


def decode_json(body: Body) -> object:
    """Give the JSON value that the body holds, whatever its content type says.

    Raises:
        RequestError: it is empty, not UTF-8 or not JSON; the sentence names the byte offset.
    """
    return json_value(body.data if body.content_encoding in PLAIN else _read(body)[1])


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


def _is_plain_json(body: Body) -> bool:
    name = body.content_type
    return body.content_encoding in PLAIN and (name == "application/json" or (not name and default_form() == "json"))


def _read(body: Body) -> tuple[ContentType, bytes]:
    """Give what a body is, and its bytes: without compression, text in UTF-8."""
    kind = read_content_type(body.content_type)
    form = kind.form
    data = plain(body.data, body.content_encoding, kind.parameters.get("charset", "") if form.is_text else None)
    if len(data) > MAX_NESTED and len(data) - len(data.translate(None, form.openings)) > MAX_NESTED:
        raise RequestError(f"the body has more than {MAX_NESTED} arrays and objects: send it in several messages")
    return kind, data
