"""A container registry's HTTP API, version 2 (OCI distribution specification 1.1), as far as pull and push need it."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from ...errors import PackagingError
from ..http_client import AGAIN, Answer, Body, BusyError, HttpClient, NotTlsError, is_loopback, origin_of, tried
from .credentials import Access
from .registry_auth import Authorization, reason_of

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
        self._scheme, self._is_known = "https", False
        self._authorization = Authorization(host, scopes, lambda: access.credentials(host), self.client.ask)

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
        body: Body = None,
        stream: bool = False,
        again: bool = True,
        doing: str,
    ) -> Answer:
        """Send a request; if the connection breaks or the registry is busy up to five times.

        Args:
            method: of HTTP.
            path: in the repository, or a whole address that the registry gave.
            expected: the answers that are fine.
            headers: besides Authorization.
            body: what to send.
            stream: leave the answer's body to be read bit by bit, by the client.
            again: send it again if that may help; not where only part of it may have to be sent again.
            doing: words for the error, such as ``push the blob sha256:…``.

        Raises:
            PackagingError: the registry refuses it, or cannot be reached; its own reason in one sentence.
            BusyError: the connection broke each time.
        """

        def attempt() -> Answer:
            answer = self._authorized(method, path, headers=headers, body=body, stream=stream)
            if answer.status in expected:
                return answer
            sentence = self.refusal(answer, doing)
            raise BusyError(sentence, answer) if answer.status in AGAIN else PackagingError(sentence)

        return tried(attempt, PAUSES_S if again else ())

    def refusal(self, answer: Answer, doing: str) -> str:
        """Give the sentence for an answer that was not expected."""
        if answer.status < 400:
            said = f"it answers {answer.status} with {answer.headers.get('Content-Type', 'nothing')}"
            return (
                f"what answers at {self.host} is no registry, maybe a portal or a proxy: {said} when asked to {doing}"
            )
        sentence = f"{self.host} does not let us {doing}: {reason_of(answer)}"
        return f"{sentence}: {self._authorization.remedy()}" if answer.status == 401 else sentence

    def check_digest(self, answer: Answer, digest: str) -> None:
        """Refuse an answer that says that something else was stored than was sent."""
        if answer.headers.get("Docker-Content-Digest", digest) != digest:
            stored = answer.headers["Docker-Content-Digest"][:80]
            raise PackagingError(f"{self.host} stored {stored} in place of {digest}: do not use this registry")

    def manifest(self, reference: str, *, expected: Collection[int] = (200,), doing: str = "pull") -> Answer:
        """Get a manifest by tag or digest; raises as ``request()`` does."""
        return self.request(
            "GET",
            f"manifests/{reference}",
            expected=expected,
            headers={"Accept": _MANIFESTS},
            doing=f"{doing} {self.repository} {reference}",
        )

    def find(self, reference: str) -> tuple[str, bytes]:
        """Give the digest of what a tag means, by its bytes and nobody's word, and these; empty if it is not there.

        Raises:
            PackagingError: as ``request()`` does.
        """
        # Not by HEAD: a refusal has its reason in the body, and a digest in a header proves nothing.
        answer = self.manifest(reference, expected=(200, 404), doing="look for")
        if answer.status == 404:
            return "", b""
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}", answer.content

    def put_manifest(self, reference: str, media_type: str, content: bytes) -> Answer:
        """Let a tag or a digest mean a manifest whose blobs are there; gives the answer, for ``OCI-Subject`` in it.

        Raises:
            PackagingError: as ``request()`` does, or something else was stored.
        """
        answer = self.request(
            "PUT",
            f"manifests/{reference}",
            expected={201, 202},
            headers={"Content-Type": media_type},
            body=content,
            doing=f"push {self.host}/{self.repository} {reference}",
        )
        self.check_digest(answer, f"sha256:{hashlib.sha256(content).hexdigest()}")
        return answer

    def next_location(self, answer: Answer) -> str:
        """Give where an upload goes on, absolute.

        Raises:
            PackagingError: the registry does not say, or would have it leave https.
        """
        location = answer.headers.get("Location", "")
        if not location:
            raise PackagingError(
                f"{self.host} takes an upload and does not say where to (no Location): not a registry?"
            )
        return self.client.next_address(answer.url, location)

    def _authorized(self, method: str, path: str, **more: Any) -> Answer:
        for attempt in range(3):
            url = path if "://" in path else self.url(path)
            login = self._authorization.login
            answer = self._ask(method, url, login=login, **more)
            challenge = answer.headers.get("WWW-Authenticate")
            ours = origin_of(answer.url) == origin_of(self.url(""))
            basic_refused = login.header.startswith("Basic ")
            if answer.status != 401 or not challenge or not ours or basic_refused or attempt == 2:
                return answer
            self._authorization.answer(challenge, login, answer.url)
        raise AssertionError

    def _ask(self, method: str, url: str, **more: Any) -> Answer:
        """Send one request; plain HTTP only to a registry on this machine that has never spoken TLS."""
        try:
            answer = self.client.ask(method, url, **more)
        except NotTlsError:
            if self._is_known or not is_loopback(url):
                raise
            self._scheme = "http"
            answer = self.client.ask(method, url.replace("https://", "http://", 1), **more)
        self._is_known = True
        return answer
