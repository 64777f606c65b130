"""What a script gives that speaks HTTP: AMLResponse, ours or the real one, and whatever else looks like it."""

from contextlib import suppress
from typing import Any

import orjson

from ..errors import RequestError, RunError, ScoringError
from ..predictions import Leaving

_PLAIN = (str, bytes, dict, list, tuple, int, float, bool, type(None))
_TEXTS = ("text/", "application/json", "application/xml")
_FAILED = 400
_SERVERS_FAULT = 500


def response_of(value: Any) -> tuple[int, Leaving] | None:
    """Give the status and what leaves of any response that has ``get_data()``, ``status_code`` and ``headers``.

    Its content type is what the script said, without that JSON, text or bytes, as the body is. None if the value is no
    response.
    """
    if isinstance(value, _PLAIN) or not hasattr(value, "status_code") or not hasattr(value, "get_data"):
        return None
    body = value.get_data()
    body = body.encode() if isinstance(body, str) else bytes(body)
    headers = {str(name).lower(): str(text) for name, text in dict(value.headers).items()}
    content_type = headers.get("content-type", "").encode(errors="replace").decode()  # it rides in the topic
    # The real one, which is Flask's, says HTML where nobody named a type; ours says nothing then.
    nobodys = "" if getattr(value, "default_mimetype", "") is None else "text/html; charset=utf-8"
    if content_type in ("", nobodys):
        content_type = _look(body)
    encoding = "utf-8" if content_type.startswith(_TEXTS) else ""
    return int(value.status_code), Leaving(body, content_type=content_type, content_encoding=encoding)


def refused(value: object) -> ScoringError | None:
    """Give the error that a response with status 400 or more stands for; None if it is a good one or none at all."""
    response = response_of(value)
    if response is None or response[0] < _FAILED:
        return None
    status, leaving = response
    text = leaving.body[:500].decode(errors="replace").strip() or "no text"
    sentence = f"the script answered with status {status}: {text}"
    return RunError(sentence) if status >= _SERVERS_FAULT else RequestError(sentence)


def _look(body: bytes) -> str:
    with suppress(orjson.JSONDecodeError):
        orjson.loads(body)
        return "application/json"
    with suppress(UnicodeDecodeError):
        body.decode()
        return "text/plain; charset=utf-8"
    return "application/octet-stream"
