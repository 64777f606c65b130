"""A container registry's HTTP API, version 2 (OCI distribution specification 1.1), as far as pull and push need it."""

import ssl
import time
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from ...errors import PackagingError
from .credentials import Access
from .registry_auth import Authorization, read_challenge, reason_of

_LOOPBACK = ("localhost", "127.", "[::1]")
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_AGAIN = {408, 429, 500, 502, 503, 504}
_TIMEOUT_S = (10, 300)  # to connect; between two bytes: a registry may take long to say that a blob is stored
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_API_HOST = {"docker.io": "registry-1.docker.io"}


class Body(Protocol):
    """What can be sent, and sent again."""

    def __len__(self) -> int:
        """Give the bytes that are left."""

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes."""

    def rewind(self) -> None:
        """Begin again."""


class BrokenConnectionError(PackagingError):
    """The connection broke, or the registry had a moment's trouble; the request may be tried again."""


class Registry:
    """One repository of a registry, and the repositories that blobs may be mounted from."""

    def __init__(self, host: str, repository: str, access: Access, *, push: bool = False, mounts: str = "") -> None:
        """Know the repository; nothing is asked yet.

        Args:
            host: the registry, with its port.
            repository: the name in it.
            access: credentials and certificates.
            push: whether something will be written.
            mounts: another repository of it that blobs are mounted from; the token has to cover both.
        """
        self.host, self.repository = host, repository
        scopes = [f"repository:{repository}:{'pull,push' if push else 'pull'}"]
        self._scopes = (*scopes, *([f"repository:{mounts}:pull"] if mounts else []))
        self._verify: bool | str = access.ca_file or True
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=8))
        self._scheme = "https"
        self._authorization = Authorization(host, lambda: access.credentials(host), self._ask)

    def url(self, path: str) -> str:
        """Give the address of a path in this repository."""
        return f"{self._scheme}://{_API_HOST.get(self.host, self.host)}/v2/{self.repository}/{path}"

    def request(
        self,
        method: str,
        path: str,
        *,
        expected: Collection[int],
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
        stream: bool = False,
        doing: str,
    ) -> requests.Response:
        """Send a request, again if the connection breaks or the registry is busy, five times at most.

        Args:
            method: of HTTP.
            path: in the repository, or a whole address that the registry gave.
            expected: the answers that are fine.
            headers: besides Authorization.
            body: what to send.
            stream: leave the answer's body to be read bit by bit.
            doing: words for the error, such as ``push the blob sha256:…``.

        Raises:
            PackagingError: the registry refuses it, or cannot be reached; its own reason in one sentence.
            BrokenConnectionError: the connection broke five times.
        """
        for pause in (*_PAUSES_S, None):
            try:
                answer = self._authorized(method, path, dict(headers or {}), body, stream)
                if answer.status_code in expected:
                    return answer
                sentence = f"{self.host} does not let us {doing}: {reason_of(answer)}"
                if answer.status_code not in _AGAIN:
                    raise PackagingError(sentence)
                if pause is None:
                    raise BrokenConnectionError(sentence)
            except BrokenConnectionError:
                if pause is None or (body is not None and method == "PUT" and "uploads" in path):
                    raise  # an upload that broke has to be asked about first
            time.sleep(pause)
            if body is not None and not isinstance(body, bytes):
                body.rewind()
        raise AssertionError

    def manifest(self, reference: str) -> requests.Response:
        """Get a manifest by tag or digest."""
        return self.request(
            "GET",
            f"manifests/{reference}",
            expected={200},
            headers={"Accept": _MANIFESTS},
            doing=f"pull {self.repository} {reference}",
        )

    def digest_of(self, reference: str) -> str:
        """Give the digest that a tag means; empty if there is no such tag."""
        answer = self.request(
            "GET",  # not HEAD: a refusal has its reason in the body
            f"manifests/{reference}",
            expected={200, 404},
            headers={"Accept": _MANIFESTS},
            doing=f"look for {self.repository} {reference}",
        )
        return answer.headers.get("Docker-Content-Digest", "") if answer.status_code == 200 else ""

    def _authorized(
        self, method: str, path: str, headers: dict[str, str], body: Body | bytes | None, stream: bool
    ) -> requests.Response:
        url = path if "://" in path else self.url(path)
        for attempt in range(3):
            ours = urlsplit(url).hostname == urlsplit(self.url("")).hostname
            sent = self._authorization.header(self._scopes) if ours else ""
            answer = self._ask(method, url, headers={**headers, "Authorization": sent}, data=body, stream=stream)
            challenge = answer.headers.get("WWW-Authenticate")
            basic_refused = sent.startswith("Basic ")
            if answer.status_code != 401 or not challenge or not ours or basic_refused or attempt == 2:
                return answer
            self._authorization.answer(read_challenge(challenge), self._scopes, sent)
            url = path if "://" in path else self.url(path)
            if body is not None and not isinstance(body, bytes):
                body.rewind()
        raise AssertionError

    def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """Send one request; plain HTTP only to a registry on this machine that does not speak TLS."""
        headers = {"User-Agent": "scoring-module", **(headers or {})}
        try:
            return self._session.request(
                method, url, headers=headers, auth=_leave, verify=self._verify, timeout=_TIMEOUT_S, **more
            )
        except requests.exceptions.SSLError as error:
            if self._scheme == "https" and self.host.startswith(_LOOPBACK) and _is_plain(error):
                self._scheme = "http"
                return self._ask(method, url.replace("https://", "http://", 1), headers=headers, **more)
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise BrokenConnectionError(f"the connection to {self.host} broke: {_cause(error)}") from error
            raise PackagingError(
                f"the certificate of {self.host} is not trusted, give its issuer's with --ca-file: {_cause(error)}"
            ) from error
        except requests.exceptions.ConnectionError as error:
            if "resolve" in str(error) or "Name or service" in str(error):
                raise PackagingError(f"there is no host {urlsplit(url).hostname}: check the image's name") from error
            raise BrokenConnectionError(f"cannot reach {self.host}: {_cause(error)}") from error
        except (requests.exceptions.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise BrokenConnectionError(f"{self.host} does not answer: {_cause(error)}") from error


def next_location(registry: Registry, answer: requests.Response) -> str:
    """Give where an upload goes on, absolute."""
    return urljoin(registry.url(""), answer.headers.get("Location", ""))


def _leave(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a netrc file from putting a password of its own in place of ours; send no empty header."""
    if not request.headers.get("Authorization"):
        request.headers.pop("Authorization", None)
    return request


def _is_plain(error: BaseException) -> bool:
    return any(word in str(error) for word in ("WRONG_VERSION_NUMBER", "wrong version number", "record layer"))


def _cause(error: BaseException) -> str:
    """Give the innermost reason of a chain of exceptions, without addresses in memory."""
    while (inner := error.__cause__ or error.__context__) is not None:
        if isinstance(error, ssl.SSLError | OSError) and not isinstance(error, requests.RequestException):
            break
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
