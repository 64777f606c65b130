"""What a script gives that speaks HTTP: AMLResponse, ours or the real one, and whatever else looks like it."""

import logging
from contextlib import suppress
from typing import Any

import orjson

from ..bodies.forms import read_content_type
from ..bodies.response_body import response_body
from ..errors import RequestError, RunError, ScoringError
from ..predictions import Leaving

_PLAIN = (str, bytes, dict, list, tuple, int, float, bool, type(None))
_TEXTS = ("text/", "application/json", "application/xml")
_NOBODYS = "text/html; charset=utf-8"
"""What a response of Flask's says where nobody named a type."""

_FAILED = 400
_SERVERS_FAULT = 500

_log = logging.getLogger(__name__)


def response_of(value: Any) -> Leaving | None:
    """Give what leaves of any response that has ``get_data()``, ``status_code`` and ``headers``; then it is closed.

    Its content type is what the script said, without that JSON, HTML, text or bytes, as the body is. None if the value
    is no response.
    """
    if not _is_response(value):
        return None
    # Of chunks get_data() would glue together whatever they are; what a server passes through it does not give at all.
    try:
        body = response_body(value.response if hasattr(value, "response") else value.get_data())
    finally:
        _close(value)
    headers = {str(name).lower(): str(text) for name, text in value.headers.items()}
    content_type = _on_the_topic(headers.get("content-type", ""))
    if content_type in ("", "None", _NOBODYS):
        content_type = _look(body)
    charset = read_content_type(content_type).parameters.get("charset", "")
    encoding = charset or ("utf-8" if content_type.startswith(_TEXTS) else "")
    return Leaving(
        body, content_type=content_type, content_encoding=_on_the_topic(headers.get("content-encoding", encoding))
    )


def refused(value: Any) -> ScoringError | None:
    """Give the error that a response with status 400 or more stands for; None if it is a good one or none at all."""
    if not _is_response(value) or value.status_code < _FAILED or (leaving := response_of(value)) is None:
        return None
    text = leaving.body[:500].decode(errors="replace").strip() or "no text"
    sentence = f"the script answered with status {value.status_code}: {text}"
    return RunError(sentence) if value.status_code >= _SERVERS_FAULT else RequestError(sentence)


def _is_response(value: Any) -> bool:
    if isinstance(value, _PLAIN):
        return False
    return isinstance(getattr(value, "status_code", None), int) and hasattr(value, "get_data")


def _on_the_topic(text: str) -> str:
    return text.encode(errors="replace").decode()


def _close(response: Any) -> None:
    """Do what is to be done once the body is there; what fails then cannot take it back."""
    try:
        getattr(response, "close", bool)()
    except Exception as error:
        _log.warning("a response could not be closed: %s: %s", type(error).__name__, error)


def _look(body: bytes) -> str:
    with suppress(orjson.JSONDecodeError):
        orjson.loads(body)
        return "application/json"
    with suppress(UnicodeDecodeError):
        return _NOBODYS if body.decode().lstrip().startswith("<") else "text/plain; charset=utf-8"
    return "application/octet-stream"
