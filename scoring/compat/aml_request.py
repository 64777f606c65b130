"""Stands for azureml's ``aml_request``: @rawhttp, and a request as Flask has it: Flask's own where that is installed.

Scripts import them from ``azureml.contrib.services`` (until 2023) or from ``azureml_inference_server_http.api``.
"""

import io
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.exceptions import BadRequest, BadRequestKeyError

from ..predictions import Context
from .decorators import rawhttp
from .flask_context import Request

_ON_ONE_LINE = re.compile(r"[\r\n]")
"""What no header holds, though a property may."""

__all__ = ["AMLRequest", "rawhttp"]  # scripts say import *


class NotJsonError(BadRequest, ValueError):
    """What Flask raises of a body that is no JSON, and what Python's own reader raises: scripts catch either."""


class MissingFieldError(BadRequestKeyError):
    """A field is asked for that did not come; as a text its name, like Python's own KeyError."""

    __str__ = KeyError.__str__


def _naming(getitem: Callable[[Any, Any], Any]) -> Any:
    def named(self: object, name: object) -> Any:
        try:
            return getitem(self, name)
        except BadRequestKeyError:
            raise MissingFieldError(name) from None

    return named


class Fields(ImmutableMultiDict[str, Any]):
    """Names → values, each perhaps several times; a missing one is an error that says its name."""

    __getitem__ = _naming(ImmutableMultiDict.__getitem__)


class NamedHeaders(Headers):
    """Names in whatever capitals → values; a missing one is an error that says its name."""

    __getitem__ = _naming(Headers.__getitem__)


class AMLRequest(Request):
    """A message as an HTTP request: the body is the POSTed data, its properties are headers and query arguments.

    Attributes:
        context: what the message came with; no request of Flask's has this.
        charset: what Flask's requests had until 2023.
    """

    context = Context()
    charset = "utf-8"
    parameter_storage_class = Fields
    max_form_memory_size = None
    max_form_parts = sys.maxsize

    def __init__(
        self,
        data: bytes = b"",
        content_type: str = "",
        properties: Mapping[str, str] | None = None,
        content_encoding: str = "",
    ) -> None:
        given = dict(properties or {})
        about = {"Content-Type": content_type, "Content-Encoding": content_encoding, "Content-Length": str(len(data))}
        headers = _headers(given, about)
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/score",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            "QUERY_STRING": urlencode(given),
            "CONTENT_LENGTH": about["Content-Length"],
            "wsgi.input": io.BytesIO(data),
            "wsgi.input_terminated": True,
            "wsgi.url_scheme": "http",
        }
        super().__init__(environ, populate_request=False)
        self.headers = headers

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Give the JSON value of the body; None if it is none and ``silent``.

        A message whose sender did not say what it is counts as JSON; one that says it is something else does not.

        Raises:
            NotJsonError: it is no JSON.
            UnsupportedMediaType: its content type says something else, and ``force`` is not said.
        """
        return super().get_json(force=force or not self.content_type, silent=silent, cache=cache)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Raise what scripts catch."""
        if e is None:
            return super().on_json_loading_failed(e)
        raise NotJsonError(f"Failed to decode JSON object: {e}") from e

    def _get_file_stream(self, *args: object, **kwargs: object) -> io.BytesIO:
        return io.BytesIO()


def _headers(properties: Mapping[str, str], about: Mapping[str, str]) -> NamedHeaders:
    """Give the properties as headers, equal names joined as servers do; none hides what is said about the body."""
    told: dict[str, tuple[str, str]] = {}
    for name, text in properties.items():
        first, before = told.get(name.lower(), (name, None))
        told[name.lower()] = (first, text if before is None else f"{before},{text}")
    told |= {name.lower(): (name, text) for name, text in about.items() if text}
    return NamedHeaders([(name, _ON_ONE_LINE.sub(" ", text)) for name, text in told.values()])
