"""The ``Authorization`` header for a registry: basic authentication, or a bearer token of the token server it names.

Docker's token authentication, and Azure Container Registry's: a refresh token at ``/oauth2/token``, an Entra token
exchanged for one at ``/oauth2/exchange``.
"""

import base64
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from ...errors import PackagingError
from .credentials import Credentials

Ask = Callable[..., requests.Response]
"""``requests.request`` with certificates, retries and the words for a host that is not there."""


class Authorization:
    """The ``Authorization`` header for one registry and a set of scopes; asked for anew when it is refused.

    Attributes:
        header: its value; empty as long as the registry has not asked for one.
    """

    def __init__(self, host: str, scopes: Sequence[str], credentials: Callable[[], Credentials], ask: Ask) -> None:
        """Ask nothing yet; credentials are looked up when the registry first wants some."""
        self.header = ""
        self._host, self._scopes, self._look_up, self._ask = host, scopes, credentials, ask
        self._known: Credentials | None = None
        self._lock = threading.Lock()

    def answer(self, challenge: str, refused: str) -> None:
        """Get a header in place of the one that was refused with this ``WWW-Authenticate``.

        Raises:
            PackagingError: there are no credentials, or they are not accepted.
        """
        scheme, _, rest = challenge.partition(" ")
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))  # its own scope is not kept, ours is asked for
        with self._lock:
            if self.header != refused:
                return  # another thread has
            if self._known is None:
                self._known = self._look_up()
            basic = scheme.lower() == "basic"
            self.header = self._basic() if basic else self._bearer(fields.get("realm", ""), fields.get("service", ""))

    def _basic(self) -> str:
        known = self._known or Credentials()
        if not known.username:
            raise PackagingError(
                f"{self._host} wants a password: give --username and --password-stdin, or docker login {self._host}"
            )
        return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()

    def _bearer(self, realm: str, service: str) -> str:
        address = urlsplit(realm)
        if address.scheme != "https" and address.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise PackagingError(f"{self._host} asks for a password at {realm or 'no address'}: not over https")
        known = self._known or Credentials()
        if known.entra_token and not known.refresh_token:
            form = {"grant_type": "access_token", "service": service, "access_token": known.entra_token}
            exchange = address._replace(path="/oauth2/exchange", query="").geturl()
            exchanged = self._json(self._ask("POST", exchange, data=form), known=True)
            known = self._known = known._replace(refresh_token=str(exchanged.get("refresh_token", "")))
        if known.refresh_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "scope": " ".join(self._scopes),
                "refresh_token": known.refresh_token,
                "client_id": "scoring-module",
            }
            answer = self._ask("POST", realm, data=form)
        else:
            query = [("service", service), *(("scope", scope) for scope in self._scopes)]
            headers = {"Authorization": self._basic()} if known.username else {}
            answer = self._ask("GET", realm, params=query, headers=headers)
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
