"""The ``Authorization`` header for a registry: basic authentication, or a bearer token of the token server it names.

Docker's token authentication, and Azure Container Registry's: a refresh token at ``/oauth2/token``, an Entra token
exchanged for one at ``/oauth2/exchange``.
"""

import base64
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from ...errors import PackagingError
from ..http_client import AGAIN, Answer, BusyError, Login, is_loopback, origin_of
from .credentials import Credentials

Ask = Callable[..., Answer]
"""``HttpClient.ask``."""

_NO_LOGIN = "none is known for it by CONTAINER_REGISTRY_SERVER, in docker's or podman's store or by az login"
_NOBODY = Login(("", "", 0), "")


class Authorization:
    """What one registry is asked with for a set of scopes; got anew when it is refused.

    Attributes:
        login: the header and the registry's origin; empty as long as it has not asked for one.
    """

    def __init__(self, host: str, scopes: Sequence[str], credentials: Callable[[], Credentials], ask: Ask) -> None:
        """Ask nothing yet; credentials are looked up when the registry first wants some."""
        self.login = _NOBODY
        self._host, self._scopes, self._look_up, self._ask = host, scopes, credentials, ask
        self._known: Credentials | None = None
        self._lock = threading.Lock()

    def answer(self, challenge: str, refused: Login, url: str) -> None:
        """Get a login in place of the one that was refused with this ``WWW-Authenticate`` at this address.

        Raises:
            PackagingError: there are no credentials, or they are not accepted, or would go to the wrong place.
        """
        bearer = re.search(r"\bbearer\s+(.*)", challenge, re.IGNORECASE)
        with self._lock:
            if self.login != refused:
                return  # another thread has
            if self._known is None:
                self._known = self._look_up()
            if bearer:  # its own scope is not kept, ours is asked for
                fields = dict(re.findall(r'(\w+)="([^"]*)"', bearer[1]))
                header = self._bearer(url, fields.get("realm", ""), fields.get("service", ""))
            elif re.match(r"basic\b", challenge, re.IGNORECASE):
                header = self._basic()
            else:
                raise PackagingError(f"{self._host} wants a login of a kind that we have not: {challenge[:40]}")
            self.login = Login(origin_of(url), header)

    def remedy(self) -> str:
        """Give what to do about a registry that goes on refusing us."""
        known = self._known or Credentials()
        if not known.source:
            return f"{_NO_LOGIN}: docker login {self._host}"
        may_not = self.login.header.startswith("Bearer ")
        return f"the login of {known.source} {'may not do this there' if may_not else 'is wrong'}"

    def _basic(self) -> str:
        known = self._known or Credentials()
        if not known.username:
            raise PackagingError(f"{self._host} wants a password, {_NO_LOGIN}: docker login {self._host}")
        return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()

    def _bearer(self, url: str, realm: str, service: str) -> str:
        # As safe as the registry itself: over https, or in the clear on this machine from one that is so too.
        in_clear = realm.startswith("http://") and url.startswith("http://") and is_loopback(realm)
        if not (origin_of(realm)[0] == "https" or in_clear):
            raise PackagingError(f"{self._host} asks for a password at {realm or 'no address'}: not over https")
        known = self._known or Credentials()
        if known.entra_token and not known.refresh_token:
            form = {"grant_type": "access_token", "service": service, "access_token": known.entra_token}
            exchanged = self._post(urlsplit(realm)._replace(path="/oauth2/exchange", query="").geturl(), form)
            known = self._known = known._replace(refresh_token=str(exchanged.get("refresh_token", "")))
        if known.refresh_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "scope": " ".join(self._scopes),
                "refresh_token": known.refresh_token,
                "client_id": "scoring-module",
            }
            said = self._post(realm, form)
        else:
            query = urlencode([("service", service), *(("scope", scope) for scope in self._scopes)])
            login = Login(origin_of(realm), self._basic()) if known.username else _NOBODY
            address = f"{realm}{'&' if '?' in realm else '?'}{query}"
            said = self._json(self._ask("GET", address, login=login), bool(any(known)))
        token = said.get("access_token") or said.get("token")
        if not re.fullmatch("[!-~]+", str(token or "")):  # what else there is has no place in a header
            raise PackagingError(f"{self._host} answered a request for a token with none")
        return f"Bearer {token}"

    def _post(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        """Post a form with a secret in it: to this address, and to none that it redirects to."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return self._json(self._ask("POST", url, headers=headers, body=body, redirects=False), known=True)

    def _json(self, answer: Answer, known: bool) -> dict[str, Any]:
        if answer.status in AGAIN:
            raise BusyError(f"{self._host} gives no token: {reason_of(answer)}", answer)
        if answer.status in {401, 403, 400} and known:
            raise PackagingError(f"{self._host} does not accept the credentials: {reason_of(answer)}: {self.remedy()}")
        if answer.status >= 300:
            raise PackagingError(f"{self._host} gives no token: {reason_of(answer)}")
        said = answer.json()
        if said is None:
            raise PackagingError(f"{self._host} answered a request for a token with something else")
        return said if isinstance(said, dict) else {}


def _in_words(value: object) -> str:
    """Give a JSON value as text: ``Type repository, Name scoring``."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(each)}" for name, each in value.items())
    return "; ".join(map(_in_words, value)) if isinstance(value, list) else str(value)


def reason_of(answer: Answer) -> str:
    """Give a registry's own reason: ``404 MANIFEST_UNKNOWN: manifest unknown``."""
    status = f"{answer.status} {answer.reason}".strip()
    said = answer.json()
    try:
        errors = said.get("errors") or [{"code": said.get("error", ""), "message": said.get("error_description", "")}]
        parts = [": ".join(str(each[key]) for key in ("code", "message") if each.get(key)) for each in errors]
        details = [_in_words(each["detail"]) for each in errors if each.get("detail")]
    except (AttributeError, TypeError, RecursionError):  # of a form of its own, or nested as deep as JSON may be
        return status
    text = "; ".join(part for part in parts if part)[:500] + (f" ({details[0][:200]})" if details else "")
    return f"{answer.status} {' '.join(text.split())}" if text.strip() else status
