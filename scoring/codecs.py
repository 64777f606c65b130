"""Body ↔ request and prediction: JSON, by orjson."""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from .errors import RequestError, ScoringError


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


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def decode_text(body: Body) -> str:
    """Give the body as text, for a script that parses it itself.

    Raises:
        RequestError: it is not UTF-8; the sentence names the byte offset.
    """
    try:
        return body.data.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error


def decode_json(body: Body) -> object:
    """Give the JSON value that the body holds.

    Raises:
        RequestError: it is empty, not UTF-8 or not JSON; the sentence names the byte offset.
    """
    try:
        return orjson.loads(body.data)
    except orjson.JSONDecodeError as error:
        if not body.data.strip():
            raise RequestError("the body is empty: expected a JSON value at byte 0") from None
        text = decode_text(body)
        offset = len(text[: error.pos].encode())
        raise RequestError(f"the body is not JSON: {error.msg} at byte {offset}") from None


def rows_of(value: object) -> list[object] | None:
    """Give the rows of a decoded body: an array of objects or of arrays; None if the whole body is one request."""
    if isinstance(value, list) and value and all(isinstance(row, dict | list) for row in value):
        return value
    return None


def encode_json(prediction: object) -> bytes:
    """Give the prediction as a JSON body; numpy arrays and scalars become arrays and numbers.

    Raises:
        ScoringError: JSON has no form for it; the sentence names its type.
    """
    try:
        return orjson.dumps(prediction, option=_OPTIONS, default=_plain)
    except TypeError as error:
        raise ScoringError(f"the prediction cannot be sent as JSON: {error.__cause__ or error}") from error


def _plain(value: object) -> object:
    """Give orjson a form of a value that it does not know by itself (numpy arrays that are not contiguous, sets)."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")
