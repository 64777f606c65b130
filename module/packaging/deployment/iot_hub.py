"""IoT Hub's REST API: one request at a time, tried again where that helps, each failure one sentence."""

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ...errors import PackagingError
from .hub_access import HubAccess

API_VERSION = "2021-04-12"
ATTEMPTS = 5
LONGEST_WAIT = 60.0
"""Seconds between two attempts at most, whatever Retry-After says."""

_TIMEOUT = 30.0
_LARGEST_ANSWER = 16 << 20
_AGAIN = {429, 500, 502, 503, 504}


class HubError(PackagingError):
    """IoT Hub refused a request.

    Attributes:
        status: of HTTP; 0 if it was not reached, -1 if trying again is of no use.
        wait: seconds that the hub wants to be left alone.
    """

    def __init__(self, sentence: str, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(sentence)
        self.status = status
        self.wait = wait


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """IoT Hub never redirects; whoever does must not get the signature."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class IotHub:
    """A hub, and how to ask it; ``HTTPS_PROXY`` and ``SSL_CERT_FILE`` are obeyed."""

    def __init__(self, access: HubAccess, pause: Callable[[float], None] = time.sleep) -> None:
        self.host = access.host
        self._authorization = access.authorization
        self._pause = pause
        context = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        self._opener = urllib.request.build_opener(context, _NoRedirect)

    def get(self, *path: str) -> Any:
        """Give the JSON document at a path, written as its parts."""
        return self._ask("GET", path)

    def post(self, *path: str, body: object, headers: Mapping[str, str] | None = None) -> Any:
        """Send a document; only for requests that may be made twice."""
        return self._ask("POST", path, body, headers or {})

    def put(self, *path: str, body: object, etag: str = "") -> Any:
        """Create something or, with its etag, replace it."""
        return self._ask("PUT", path, body, _if_match(etag))

    def delete(self, *path: str, etag: str) -> Any:
        """Delete what has this etag."""
        return self._ask("DELETE", path, None, _if_match(etag))

    def _ask(self, method: str, path: tuple[str, ...], body: object = None, headers: Mapping[str, str] = {}) -> Any:
        data = None if body is None else orjson.dumps(body)
        url = f"https://{self.host}/{'/'.join(quote(part, safe='') for part in path)}?api-version={API_VERSION}"
        request = urllib.request.Request(url, data, dict(headers), method=method)
        request.add_header("Content-Type", "application/json; charset=utf-8")
        last = HubError("")
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(min(LONGEST_WAIT, last.wait or 2.0 ** (attempt - 1)))
            request.add_header("Authorization", self._authorization())
            try:
                return self._send(request)
            except HubError as error:
                if error.status and error.status not in _AGAIN:
                    raise
                last = error
        raise HubError(f"{last}, {ATTEMPTS} times: try again later", last.status) from last

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                content = answer.read(_LARGEST_ANSWER)
            return orjson.loads(content) if content else None
        except urllib.error.HTTPError as error:
            wait = _seconds(error.headers.get("Retry-After", ""))
            raise HubError(_refusal(self.host, error.code, _reason(error)), error.code, wait) from error
        except orjson.JSONDecodeError as error:
            raise HubError(f"what answers at {self.host} is no IoT Hub: it does not answer in JSON", -1) from error
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(self.host, error) from error


def _if_match(etag: str) -> dict[str, str]:
    return {"If-Match": f'"{etag.strip(chr(34))}"'} if etag else {}


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def _reason(error: urllib.error.HTTPError) -> str:
    """Give the hub's own words, ``{"Message": "ErrorCode:…;…"}``, cut to a line."""
    try:
        message = orjson.loads(error.read(65_536))["Message"]
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return " ".join(str(message).split())[:300]


def _refusal(host: str, status: int, reason: str) -> str:
    said = f" ({reason})" if reason else ""
    match status:
        case 401:
            return f"{host} does not accept the credentials{said}: check key or token and this machine's clock"
        case 403:
            return f"{host} does not allow this{said}: the policy or role needs registry read and write"
        case 404:
            return f"{host} does not have it{said}"
        case 409 | 412:
            return f"someone else has changed it on {host} meanwhile{said}: run the command again"
        case 429:
            return f"{host} is throttling{said}"
        case _:
            return f"{host} answers {status}{said}"


def _unreached(host: str, error: Exception) -> HubError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        trust = "set SSL_CERT_FILE if it is signed by a company's own authority"
        return HubError(f"the certificate of {host} is not trusted ({reason.verify_message}): {trust}", -1)
    if isinstance(reason, socket.gaierror):
        return HubError(f"there is no host {host}, or no name server is reached: check the hub's name", -1)
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return HubError(f"{host} cannot be reached ({said})")
