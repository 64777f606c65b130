"""Stands for azureml's ``aml_response``: what run() may give to choose status and content type."""

import json
from collections.abc import Iterable, Mapping

__all__ = ["AMLResponse"]

_TYPE = "Content-Type"


class ResponseHeaders(dict[str, str]):
    """Names → texts, in the capitals that HTTP's names usually have."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        for name, text in headers.items():
            self[name] = text

    def __setitem__(self, name: str, text: str) -> None:
        super().__setitem__(name.title(), str(text))

    def add(self, name: str, text: str) -> None:
        """Set a header."""
        self[name] = text


class AMLResponse:
    """A body with a status and a content type.

    Attributes:
        data: the body.
        status_code: 400 and more says that the request failed.
        headers: ``Content-Type`` among them if the script says one.
    """

    def __init__(
        self,
        message: object,
        status_code: int = 200,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        as_json = json_str or message is None
        self.data = json.dumps({} if message is None else message).encode() if as_json else _bytes(message)
        self.status_code = int(status_code)
        self.headers = ResponseHeaders({_TYPE: "application/json"} if as_json else {})
        self.headers.update(ResponseHeaders(response_headers or {}))

    @property
    def content_type(self) -> str:
        """The content type; empty if the script says none."""
        return self.headers.get(_TYPE, "")

    @content_type.setter
    def content_type(self, content_type: str) -> None:
        self.headers[_TYPE] = content_type

    @property
    def mimetype(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip()

    @mimetype.setter
    def mimetype(self, mimetype: str) -> None:
        self.headers[_TYPE] = mimetype

    def get_data(self, as_text: bool = False) -> bytes | str:
        """Give the body, as text if asked."""
        return self.data.decode() if as_text else self.data

    def set_data(self, data: bytes | str) -> None:
        """Replace the body."""
        self.data = _bytes(data)


def _bytes(message: object) -> bytes:
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, dict):  # Flask would send its keys, which nobody wants
        return json.dumps(message).encode()
    if isinstance(message, list | tuple):
        return b"".join(map(_bytes, message))
    if isinstance(message, Iterable) and not hasattr(message, "ndim"):  # a generator, a file: chunks, as in Flask
        return b"".join(map(_chunk, message))
    return str(message).encode()


def _chunk(chunk: object) -> bytes:
    if isinstance(chunk, str | bytes | bytearray | memoryview):
        return _bytes(chunk)
    raise TypeError(f"an AMLResponse is made of chunks of type {type(chunk).__name__}: give str or bytes")
