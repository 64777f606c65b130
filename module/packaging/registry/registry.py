"""A container registry's HTTP API, version 2 (OCI distribution specification 1.1), as far as pull and push need it."""

from collections.abc import Collection, Mapping
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests

from ...errors import PackagingError
from ..http_client import AGAIN, BusyError, HttpClient, NotTlsError, tried
from .credentials import Access
from .registry_auth import Authorization, reason_of

_LOOPBACK = ("localhost", "127.", "[::1]")
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_TIMEOUT_S = (10, 300)  # to connect; between two bytes: a registry may take long to say that a blob is stored
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_API_HOST = {"docker.io": "registry-1.docker.io"}


class Registry:
    """One repository of a registry, and the repositories that blobs may be mounted from.

    Attributes:
        host: the registry.
        repository: the name in it.
        client: the connections to it.
    """

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
        scopes += [f"repository:{mounts}:pull"] if mounts else []
        trust_by = "give its issuer's with --ca-file"
        self.client = HttpClient(
            host, named_by="the image's name", trust_by=trust_by, timeout=_TIMEOUT_S, ca_file=access.ca_file
        )
        self._scheme = "https"
        self._authorization = Authorization(host, scopes, lambda: access.credentials(host), self._ask)

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
        body: BinaryIO | bytes | None = None,
        stream: bool = False,
        again: bool = True,
        doing: str,
    ) -> requests.Response:
        """Send a request; if the connection breaks or the registry is busy up to five times.

        Args:
            method: of HTTP.
            path: in the repository, or a whole address that the registry gave.
            expected: the answers that are fine.
            headers: besides Authorization.
            body: what to send; a file from where it stands.
            stream: leave the answer's body to be read bit by bit, by the client.
            again: send it again if that may help; not where only part of it may have to be sent again.
            doing: words for the error, such as ``push the blob sha256:…``.

        Raises:
            PackagingError: the registry refuses it, or cannot be reached; its own reason in one sentence.
            BusyError: the connection broke each time.
        """

        def attempt() -> requests.Response:
            answer = self._authorized(method, path, dict(headers or {}), body, stream)
            if answer.status_code in expected:
                return answer
            sentence = f"{self.host} does not let us {doing}: {reason_of(answer)}"
            raise BusyError(sentence, answer) if answer.status_code in AGAIN else PackagingError(sentence)

        return tried(attempt, PAUSES_S if again else ())

    def manifest(self, reference: str, *, expected: Collection[int] = (200,), doing: str = "pull") -> requests.Response:
        """Get a manifest by tag or digest; raises as ``request()`` does."""
        return self.request(
            "GET",
            f"manifests/{reference}",
            expected=expected,
            headers={"Accept": _MANIFESTS},
            doing=f"{doing} {self.repository} {reference}",
        )

    def digest_of(self, reference: str) -> str:
        """Give the digest that a tag means; empty if there is no such tag."""
        # Not by HEAD: a refusal has its reason in the body.
        answer = self.manifest(reference, expected=(200, 404), doing="look for")
        return answer.headers.get("Docker-Content-Digest", "") if answer.status_code == 200 else ""

    def _authorized(
        self, method: str, path: str, headers: dict[str, str], body: BinaryIO | bytes | None, stream: bool
    ) -> requests.Response:
        file = None if isinstance(body, bytes) else body
        start = file.tell() if file else 0
        for attempt in range(3):
            if file:
                file.seek(start)
            url = path if "://" in path else self.url(path)
            ours = urlsplit(url).hostname == urlsplit(self.url("")).hostname
            sent = self._authorization.header if ours else ""
            answer = self._ask(method, url, headers={**headers, "Authorization": sent}, data=body, stream=stream)
            challenge = answer.headers.get("WWW-Authenticate")
            basic_refused = sent.startswith("Basic ")
            if answer.status_code != 401 or not challenge or not ours or basic_refused or attempt == 2:
                return answer
            self._authorization.answer(challenge, sent)
        raise AssertionError

    def _ask(self, method: str, url: str, **more: Any) -> requests.Response:
        """Send one request; plain HTTP only to a registry on this machine that does not speak TLS."""
        try:
            return self.client.ask(method, url, **more)
        except NotTlsError:
            if self._scheme == "http" or not self.host.startswith(_LOOPBACK):
                raise
            self._scheme = "http"
            return self.client.ask(method, url.replace("https://", "http://", 1), **more)


def next_location(registry: Registry, answer: requests.Response) -> str:
    """Give where an upload goes on, absolute."""
    return urljoin(registry.url(""), answer.headers.get("Location", ""))
