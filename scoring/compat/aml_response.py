"""Stands for azureml's ``aml_response``: what run() may give to choose status and content type."""

import json
from collections.abc import Iterable, Mapping

from werkzeug.wrappers import Response

__all__ = ["AMLResponse"]


class AMLResponse(Response):
    """A body with a status and a content type; 400 and more says that the request failed."""

    default_mimetype = None  # a body says by itself what it is

    def __init__(
        self,
        message: object,
        status_code: int = 200,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        as_json = json_str or message is None
        super().__init__(status=int(status_code), mimetype="application/json" if as_json else None)
        self.set_data(json.dumps({} if message is None else message) if as_json else message)
        self.headers.update(response_headers or {})

    def set_data(self, value: object) -> None:
        """Replace the body: by a text, bytes, chunks of them from anywhere, or what anything else is as text."""
        super().set_data(_whole(value))


def _whole(message: object) -> str | bytes:
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    if isinstance(message, str | dict):  # of a dict Flask would send the keys, which nobody wants
        return message if isinstance(message, str) else json.dumps(message)
    if isinstance(message, Iterable) and not hasattr(message, "ndim"):
        # Here, where what a generator raises is run()'s, on the script's own line.
        chunks: list[bytes] = []
        for chunk in message:
            if not isinstance(chunk, str | bytes | bytearray | memoryview) and not isinstance(message, list | tuple):
                raise TypeError(f"an AMLResponse is made of chunks of type {type(chunk).__name__}: give str or bytes")
            whole = _whole(chunk)
            chunks.append(whole.encode() if isinstance(whole, str) else whole)
        return b"".join(chunks)
    return str(message)
