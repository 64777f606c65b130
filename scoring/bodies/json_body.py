"""JSON, JSON Lines and text bodies: UTF-8 bytes → values, with errors that name the byte or the line."""

import io

import orjson

from ..errors import RequestError

MAX_ROWS = 100_000
"""Rows in one body at most: each becomes a request, many times as large as its bytes."""

BOM = b"\xef\xbb\xbf"


def text_of(data: bytes) -> str:
    """Give the text.

    Raises:
        RequestError: it is not UTF-8; the sentence names the byte offset.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


def json_value(data: bytes) -> object:
    """Give the JSON value; JSON Lines under JSON's name give their rows as a list.

    Raises:
        RequestError: it is empty, not UTF-8 or not JSON; the sentence names the byte offset.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if data.startswith(BOM) and not data.startswith(BOM * 2):
            return json_value(data[len(BOM) :])
        if _first_line_is_json(data):
            return json_lines(data)
        if not data.strip():
            raise RequestError("the body is empty: expected a JSON value at byte 0") from None
        offset = len(text_of(data)[: error.pos].encode())
        raise RequestError(f"the body is not JSON: {error.msg} at byte {offset}") from None


def _first_line_is_json(data: bytes) -> bool:
    """Say whether the first line is a whole object or array, and another line follows."""
    first, _, rest = data.strip().partition(b"\n")
    try:
        return bool(rest) and isinstance(orjson.loads(first), dict | list)
    except orjson.JSONDecodeError:
        return False


def json_lines(data: bytes) -> list[object]:
    """Give the value of each line; empty lines are none.

    Raises:
        RequestError: a line is not JSON, there is none or more than MAX_ROWS; the sentence names the line.
    """
    rows: list[object] = []
    for number, line in enumerate(io.BytesIO(data), 1):
        text = line.strip(b" \t\r\n\x1e")
        if not text:
            continue
        try:
            rows.append(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise RequestError(f"line {number} of the body is not JSON: {error.msg} at column {error.pos}") from None
        if len(rows) > MAX_ROWS:
            raise RequestError(f"the body has more than {MAX_ROWS} rows: send them in several messages")
    if not rows:
        raise RequestError("the body is empty: expected a JSON value at line 1")
    return rows


def text_or_json(data: bytes) -> object:
    """Give the object or array that a text is as JSON, else the text: many devices call their JSON text/plain.

    Raises:
        RequestError: it is not UTF-8; the sentence names the byte offset.
    """
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass
    return text_of(data)
