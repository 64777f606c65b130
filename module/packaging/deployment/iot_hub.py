"""IoT Hub's REST API: one request at a time, tried again where that helps, each failure one sentence."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ...errors import PackagingError
from ..http_client import AGAIN, Answer, BusyError, HttpClient, Login, origin_of, tried
from .hub_access import HubAccess

API_VERSION = "2021-04-12"
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_TIMEOUT_S = (30.0, 30.0)


class HubError(PackagingError):
    """IoT Hub refused a request.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class IotHub:
    """A hub, and how to ask it; ``HTTPS_PROXY`` and ``SSL_CERT_FILE`` are obeyed.

    Attributes:
        host, name: its host name, and the first part of that.
    """

    def __init__(self, access: HubAccess, pause: Callable[[float], None] = time.sleep) -> None:
        self.host, self.name = access.host, access.host.partition(".")[0]
        self._authorization = access.authorization
        self._pause = pause
        trust_by = "set SSL_CERT_FILE if it is signed by a company's own authority"
        self._client = HttpClient(access.host, named_by="the hub's name", trust_by=trust_by, timeout=_TIMEOUT_S)

    def find(self, *path: str) -> Any:
        """Give the JSON document at a path; None if the hub does not have it."""
        try:
            return self.request("GET", *path)
        except HubError as error:
            if error.status == 404:
                return None
            raise

    def request(
        self, method: str, *path: str, body: object = None, etag: str = "", headers: Mapping[str, str] = {}
    ) -> Any:
        """Make a request that may be made twice, and give the JSON document of the answer.

        Args:
            method: of HTTP.
            path: written as its parts.
            body: the document to send.
            etag: of what is replaced or deleted; without one a PUT creates something.
            headers: beside those that every request has.
        """
        if etag:
            headers = {**headers, "If-Match": f'"{etag.strip(chr(34))}"'}
        data = None if body is None else orjson.dumps(body)
        url = f"https://{self.host}/{'/'.join(quote(part, safe='') for part in path)}?api-version={API_VERSION}"

        def attempt() -> Any:
            typed = {**headers, "Content-Type": "application/json; charset=utf-8"}
            login = Login(origin_of(url), self._authorization())
            # IoT Hub never redirects: whoever does is none.
            answer = self._client.ask(method, url, headers=typed, body=data, login=login, redirects=False)
            status = answer.status
            if status in AGAIN:
                raise BusyError(_refusal(self.host, answer), answer)
            if status >= 300:
                raise HubError(_refusal(self.host, answer), status)
            try:
                return orjson.loads(answer.content) if answer.content else None
            except orjson.JSONDecodeError as error:
                where = f"what answers at {self.host} is no IoT Hub"
                raise HubError(f"{where}: it does not answer in JSON", status) from error

        return tried(attempt, PAUSES_S, self._pause)


def _refusal(host: str, answer: Answer) -> str:
    """Say why, with the hub's own words, ``{"Message": "ErrorCode:…;…"}``, cut to a line."""
    said = ""
    with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError, RecursionError):
        reason = " ".join(str(orjson.loads(answer.content)["Message"]).split())[:300]
        said = f" ({reason})" if reason else ""
    match answer.status:
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
        case status:
            return f"{host} answers {status}{said}"
