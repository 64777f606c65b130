"""Stands for azureml's ``aml_request``: @rawhttp, and a request as Flask has it, on werkzeug's alone.

Scripts import them from ``azureml.contrib.services`` (until 2023) or from ``azureml_inference_server_http.api``.
"""

import io
import re
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.wrappers import Request

from ..predictions import Context
from .decorators import rawhttp

_ON_ONE_LINE = re.compile(r"[\r\n]")
"""What no header holds, though a property may."""

__all__ = ["AMLRequest", "rawhttp"]  # scripts say import *


class Fields(ImmutableMultiDict[str, Any]):
    """Names → values, each perhaps several times; a missing one is an error that says its name."""

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return super().__getitem__(name)


class AMLRequest(Request):
    """A message as an HTTP request: the body is the POSTed data, its properties are both headers and query arguments.

    What is read of it stays readable: it is in memory anyway, and the body has its bound already.

    Attributes:
        context: what the message came with; no request of Flask's has this.
    """

    context = Context()

    parameter_storage_class = Fields
    max_form_memory_size = None
    max_form_parts = sys.maxsize

    def __init__(self, data: bytes = b"", content_type: str = "", properties: Mapping[str, str] | None = None) -> None:
        given = dict(properties or {})
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/score",
            "CONTENT_TYPE": content_type,
            "QUERY_STRING": urlencode(given),
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
            "wsgi.input_terminated": True,
            "wsgi.url_scheme": "http",
        }
        super().__init__(environ, populate_request=False)
        about = {"Content-Type": content_type, "Content-Length": str(len(data))}
        self.headers = Headers({name: _ON_ONE_LINE.sub(" ", text) for name, text in given.items()})
        for name, text in about.items():
            self.headers[name] = _ON_ONE_LINE.sub(" ", text)
        self.get_data()  # keeps it, for what reads the stream and the form
        self.stream = io.BytesIO(data)

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Give the JSON value of the body; None if it is none and ``silent``. Messages need not say that it is JSON.

        Raises:
            ValueError: it is no JSON.
        """
        return super().get_json(force=True, silent=silent, cache=cache)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Raise what Python's own reader raises, which scripts catch."""
        raise e or ValueError("the body is no JSON")

    def _get_file_stream(self, *args: object, **kwargs: object) -> io.BytesIO:
        return io.BytesIO()
