"""The ``Authorization`` header for a registry: basic authentication, or a bearer token of the token server it names.

Docker's token authentication, and Azure Container Registry's: a refresh token at ``/oauth2/token``, an Entra token
exchanged for one at ``/oauth2/exchange``.
"""

import base64
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from ...errors import PackagingError
from .credentials import Credentials

Ask = Callable[..., requests.Response]
"""``requests.request`` with certificates, retries and the words for a host that is not there."""


class Challenge(NamedTuple):
    """What a registry's ``WWW-Authenticate`` asks for."""

    scheme: str
    realm: str = ""
    service: str = ""


def read_challenge(header: str) -> Challenge:
    """Read a ``WWW-Authenticate`` header; its own scope is not kept, ours is asked for."""
    scheme, _, rest = header.partition(" ")
    fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    return Challenge(scheme.lower(), fields.get("realm", ""), fields.get("service", ""))


class Authorization:
    """The ``Authorization`` header for one registry and a set of scopes; asked for anew when it is refused."""

    def __init__(self, host: str, credentials: Callable[[], Credentials], ask: Ask) -> None:
        """Ask nothing yet; credentials are looked up when the registry first wants some."""
        self._host, self._look_up, self._ask = host, credentials, ask
        self._known: Credentials | None = None
        self._headers: dict[tuple[str, ...], str] = {}
        self._lock = threading.Lock()

    def header(self, scopes: tuple[str, ...]) -> str:
        """Give the header for these scopes; empty as long as the registry has not asked for one."""
        return self._headers.get(scopes, "")

    def answer(self, challenge: Challenge, scopes: tuple[str, ...], refused: str) -> None:
        """Get a header for these scopes in place of the one that was refused.

        Raises:
            PackagingError: there are no credentials, or they are not accepted.
        """
        with self._lock:
            if self._headers.get(scopes, "") != refused:
                return  # another thread has
            if self._known is None:
                self._known = self._look_up()
            self._headers[scopes] = self._basic() if challenge.scheme == "basic" else self._bearer(challenge, scopes)

    def _basic(self) -> str:
        known = self._known or Credentials()
        if not known.username:
            raise PackagingError(
                f"{self._host} wants a password: give --username and --password-stdin, or docker login {self._host}"
            )
        return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()

    def _bearer(self, challenge: Challenge, scopes: tuple[str, ...]) -> str:
        realm = urlsplit(challenge.realm)
        if realm.scheme != "https" and realm.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise PackagingError(
                f"{self._host} asks for a password at {challenge.realm or 'no address'}: not over https"
            )
        known = self._known or Credentials()
        if known.entra_token and not known.refresh_token:
            form = {"grant_type": "access_token", "service": challenge.service, "access_token": known.entra_token}
            exchange = realm._replace(path="/oauth2/exchange", query="").geturl()
            exchanged = self._json(self._ask("POST", exchange, data=form), known=True)
            known = self._known = known._replace(refresh_token=str(exchanged.get("refresh_token", "")))
        if known.refresh_token:
            form = {
                "grant_type": "refresh_token",
                "service": challenge.service,
                "scope": " ".join(scopes),
                "refresh_token": known.refresh_token,
                "client_id": "scoring-module",
            }
            answer = self._ask("POST", challenge.realm, data=form)
        else:
            query = [("service", challenge.service), *(("scope", scope) for scope in scopes)]
            headers = {"Authorization": self._basic()} if known.username else {}
            answer = self._ask("GET", challenge.realm, params=query, headers=headers)
        said = self._json(answer, bool(any(known)))
        token = said.get("access_token") or said.get("token")
        if not token:
            raise PackagingError(f"{self._host} answered a request for a token with none")
        return f"Bearer {token}"

    def _json(self, answer: requests.Response, known: bool) -> dict[str, Any]:
        if answer.status_code in {401, 403, 400} and known:
            raise PackagingError(f"{self._host} does not accept the credentials: {reason_of(answer)}")
        if not answer.ok:
            raise PackagingError(f"{self._host} gives no token: {reason_of(answer)}")
        try:
            said = answer.json()
        except requests.JSONDecodeError as error:
            raise PackagingError(f"{self._host} answered a request for a token with something else") from error
        return said if isinstance(said, dict) else {}


def reason_of(answer: requests.Response) -> str:
    """Give a registry's own reason: ``404 MANIFEST_UNKNOWN: manifest unknown``."""
    status = f"{answer.status_code} {answer.reason or ''}".strip()
    try:
        said = answer.json()
        errors = said.get("errors") or [{"code": said.get("error", ""), "message": said.get("error_description", "")}]
        parts = [": ".join(str(each[key]) for key in ("code", "message") if each.get(key)) for each in errors]
        details = [str(each["detail"]) for each in errors if each.get("detail")]
    except (requests.JSONDecodeError, AttributeError, TypeError):
        return status
    text = "; ".join(part for part in parts if part) + (f" ({details[0][:200]})" if details else "")
    return f"{answer.status_code} {text}" if text.strip() else status
