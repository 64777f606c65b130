"""The message of an HTTP response as bytes, as WSGI makes them; what would be glued together is refused."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

_ADVICE = "give it text or bytes, such as json.dumps(…), or return the value itself"


def response_body(message: Any) -> bytes:
    """Give the bytes of a text, of bytes, or of chunks of them: a list, a generator, a file. A dict becomes JSON.

    Raises:
        TypeError: the message, or a chunk, is something else.
    """
    if isinstance(message, Mapping):  # Flask would send the keys, which nobody wants
        message = json.dumps(dict(message))
    if isinstance(message, str | bytes | bytearray | memoryview):
        return _chunk(message)
    if not isinstance(message, Iterable) or hasattr(message, "tolist") or hasattr(message, "columns"):
        raise TypeError(f"a response cannot be made of a value of type {type(message).__name__}: {_ADVICE}")
    return b"".join(map(_chunk, message))


def _chunk(chunk: Any) -> bytes:
    if not isinstance(chunk, str | bytes | bytearray | memoryview):
        raise TypeError(f"a response cannot be made of chunks of type {type(chunk).__name__}: {_ADVICE}")
    return chunk.encode() if isinstance(chunk, str) else bytes(chunk)
