"""What a script gives that speaks HTTP: AMLResponse, ours or the real one, and whatever else looks like it."""

from typing import Any, NamedTuple

import orjson

from ..errors import RequestError, RunError, ScoringError

_PLAIN = (str, bytes, dict, list, tuple, int, float, bool, type(None))
_TEXTS = ("text/", "application/json", "application/xml")
_FAILED = 400
_SERVERS_FAULT = 500


class Response(NamedTuple):
    """A response, whoever's class it is.

    Attributes:
        body: as is.
        status: of HTTP.
        content_type: what the script said; without that JSON, text or bytes, as the body is.
        encoding: of the content; empty if the body is no text in UTF-8.
    """

    body: bytes
    status: int
    content_type: str
    encoding: str


def response_of(value: Any) -> Response | None:
    """Read any response that has ``get_data()``, ``status_code`` and ``headers``; None if the value is none."""
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
    return Response(body, int(value.status_code), content_type, encoding)


def refused(value: object) -> ScoringError | None:
    """Give the error that a response with status 400 or more stands for; None if it is a good one or none at all."""
    response = response_of(value)
    if response is None or response.status < _FAILED:
        return None
    text = response.body[:500].decode(errors="replace").strip() or "no text"
    sentence = f"the script answered with status {response.status}: {text}"
    return RunError(sentence) if response.status >= _SERVERS_FAULT else RequestError(sentence)


def _look(body: bytes) -> str:
    try:
        orjson.loads(body)
        return "application/json"
    except orjson.JSONDecodeError:
        pass
    try:
        body.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain; charset=utf-8"
