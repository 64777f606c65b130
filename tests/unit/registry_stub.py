"""A registry on loopback whose every answer a test has written, with a token server as Docker's or ACR's beside it."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "puller", "kept-secret"
REFRESH, ENTRA = "a-refresh-token", "an-entra-token"


def digest_of(content: bytes) -> str:
    """Give the digest of a blob or manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class RegistryStub:
    """What the registry has, and what it was asked.

    Attributes:
        manifests: tag or digest → manifest and its media type.
        blobs: digest → bytes.
        private: whether it wants a bearer token.
        public: whether the token server gives tokens to nobody in particular.
        says: what the token server answers in place of a token.
        cuts: how many answers with a blob end in the middle.
        realm: where it sends clients for a token.
        valid: tokens that it takes.
        asked: ``METHOD path`` of every request, a token's scopes behind it.
    """

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.private = self.public = False
        self.says = b""
        self.cuts = 0
        self.valid: set[str] = set()
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"stub": self}))
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.realm = f"http://{self.host}/oauth2/token"

    def blob(self, content: bytes, media_type: str) -> dict[str, object]:
        """Keep a blob and give its descriptor."""
        self.blobs[digest_of(content)] = content
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def manifest(self, document: dict[str, Any], *names: str) -> str:
        """Keep a manifest under its digest and these tags; gives the digest."""
        content = json.dumps(document).encode()
        for name in (digest_of(content), *names):
            self.manifests[name] = (content, document["mediaType"])
        return digest_of(content)

    def token(self, method: str, path: str, form: dict[str, list[str]], authorization: str) -> tuple[int, object]:
        """Answer as a token server does."""
        if path == "/oauth2/exchange":
            good = form.get("access_token") == [ENTRA]
            return (200, {"refresh_token": REFRESH}) if good else (401, _error("AADSTS700082: it has expired"))
        password = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        by_refresh = method == "POST" and form.get("refresh_token") == [REFRESH]
        if not (by_refresh or authorization == password or (self.public and not authorization and method == "GET")):
            return 401, _error("authentication required")
        token = f"token-{len(self.asked)}"
        self.valid.add(token)
        return 200, {"access_token" if method == "POST" else "token": token}


def _error(message: str) -> object:
    return {"errors": [{"code": "UNAUTHORIZED", "message": message}]}


class _Answers(BaseHTTPRequestHandler):
    stub: RegistryStub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        self._answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

    def _answer(self, form: dict[str, list[str]]) -> None:
        path, authorization = urlsplit(self.path).path, self.headers.get("Authorization", "")
        self.stub.asked.append(" ".join([self.command, path, *form.get("scope", [])]))
        if path.startswith("/oauth2/"):
            status, said = self.stub.token(self.command, path, form, authorization)
            self._say(status, self.stub.says or json.dumps(said).encode())
        elif self.stub.private and authorization.removeprefix("Bearer ") not in self.stub.valid:
            wants = f'Bearer realm="{self.stub.realm}",service="the registry",scope="repository:a:pull"'
            self._say(401, json.dumps(_error("a token is wanted")).encode(), {"WWW-Authenticate": wants})
        else:
            self._give(path.rpartition("/")[2])

    def _give(self, name: str) -> None:
        if name in self.stub.manifests:
            content, media_type = self.stub.manifests[name]
            self._say(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)})
        elif name in self.stub.blobs:
            self.stub.cuts -= 1
            self._say(200, self.stub.blobs[name], cut=self.stub.cuts >= 0)
        else:
            self._say(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not here"}]}).encode())

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[RegistryStub]:
    """Serve until the block ends."""
    stub = RegistryStub()
    thread = threading.Thread(target=stub.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield stub
    stub.server.shutdown()
    stub.server.server_close()
