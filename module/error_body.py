"""The body of an errors message: what was wrong, and the original to try again with, cut so that the whole fits."""

from base64 import b64encode
from contextlib import suppress

import orjson

from .messages import InputMessage
from .property_bag import MAX_BAG, fitting

_MAX_SENTENCE = 4_000


def error_body(message: InputMessage, kind: str, sentence: str, room: int) -> bytes:
    """Give the body, of ``room`` bytes at most.

    Args:
        message: the input message.
        kind: the name of the failure's class.
        sentence: what was wrong; it may quote the message.
        room: in bytes; at least a quarter of a megabyte less the properties.
    """
    error = {"type": kind, "message": sentence[:_MAX_SENTENCE], "input": message.input}
    original: dict[str, object] = {"system": message.system, "properties": fitting(message.properties, MAX_BAG // 2)}
    frame = len(orjson.dumps({"error": error, "original": {**original, "base64": "", "truncated": False}}))
    original |= _carried(message.body, room - frame)
    return orjson.dumps({"error": error, "original": original})


def _carried(body: bytes, room: int) -> dict[str, object]:
    """Give the original body as the JSON it is, as text or as base64; cut if it takes more than ``room`` bytes."""
    is_json = False
    with suppress(orjson.JSONDecodeError, TypeError):
        orjson.loads(body)
        is_json = True
    if is_json and len(body) <= room:
        return {"body": orjson.Fragment(body), "truncated": False}  # as it came: numbers keep all their digits
    most = max(0, room) // 4 * 3
    if not is_json and len(body) <= most:
        return {"base64": b64encode(body).decode(), "truncated": False}
    with suppress(UnicodeDecodeError):
        text = body[: room // 2].decode()
        if len(orjson.dumps(text)) <= room:
            return {"body": text, "truncated": True}
    return {"base64": b64encode(body[:most]).decode(), "truncated": True}
