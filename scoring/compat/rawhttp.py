"""Stands for azureml's ``aml_request``: @rawhttp, and a request without Flask.

Scripts import them from ``azureml.contrib.services`` (until 2023) or from ``azureml_inference_server_http.api``.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from .multipart import FileField, read_form

__all__ = ["AMLRequest", "rawhttp"]  # scripts say import *

F = TypeVar("F", bound=Callable[..., object])

_MARK = "__scoring_rawhttp__"
_FLAG = "_rawHttpRequested"
_REAL = ("azureml.contrib.services.aml_request", "azureml_inference_server_http.api.aml_request")


def rawhttp(func: F) -> F:
    """Mark run() as taking the whole request."""
    func.__dict__[_MARK] = True
    return func


def forget_rawhttp() -> None:
    """Forget that another script asked for it: where the real package is installed, it keeps one flag for all."""
    for name in _REAL:
        if _is_flagged(name):
            setattr(sys.modules[name], _FLAG, False)


def wants_rawhttp(run: Callable[..., object]) -> bool:
    """Say whether run() is marked, by us or by the real package."""
    return hasattr(run, _MARK) or any(map(_is_flagged, _REAL))


def _is_flagged(name: str) -> bool:
    return name in sys.modules and bool(vars(sys.modules[name]).get(_FLAG))


class Headers(Mapping[str, str]):
    """Names → texts; a name is found in capitals and in small letters, as in HTTP."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.casefold(): (name, text) for name, text in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.casefold()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._headers.values())

    def __len__(self) -> int:
        return len(self._headers)


class AMLRequest:
    """A message as an HTTP request: the body is the POSTed data, its properties are both headers and query arguments.

    Attributes:
        data: the body.
        args: the message's application properties.
        headers: the same, with ``Content-Type``.
    """

    method = "POST"
    path = "/score"
    query_string = b""

    def __init__(self, data: bytes = b"", content_type: str = "", properties: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.args: dict[str, str] = dict(properties or {})
        self.headers = Headers({**self.args, "Content-Type": content_type, "Content-Length": str(len(data))})
        self.content_type = content_type
        self.content_length = len(data)
        self.mimetype = content_type.partition(";")[0].strip().lower()
        self._form: tuple[dict[str, str], dict[str, FileField]] | None = None

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> bytes | str:
        """Give the body, as text if asked."""
        return self.data.decode() if as_text else self.data

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> object:
        """Give the JSON value of the body; None if it is none and ``silent``. Messages need not say that it is JSON.

        Raises:
            ValueError: it is no JSON.
        """
        try:
            return json.loads(self.data)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> object:
        """The JSON value of the body."""
        return self.get_json()

    @property
    def is_json(self) -> bool:
        """Whether the content type says JSON."""
        return self.mimetype == "application/json" or self.mimetype.endswith("+json")

    @property
    def stream(self) -> io.BytesIO:
        """The body as a file."""
        return io.BytesIO(self.data)

    @property
    def values(self) -> dict[str, str]:
        """Query arguments and form fields."""
        return {**self.args, **self.form}

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return self._read_form()[0]

    @property
    def files(self) -> dict[str, FileField]:
        """The files of a multipart form."""
        return self._read_form()[1]

    def _read_form(self) -> tuple[dict[str, str], dict[str, FileField]]:
        if self._form is None:
            self._form = read_form(self.data, self.content_type)
        return self._form
