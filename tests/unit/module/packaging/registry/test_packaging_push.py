"""Pushing to a registry made for the test: resumed, retried with a limit, refused in its own words."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from module.errors import PackagingError
from module.packaging.registry import push as pushing
from module.packaging.registry import reference, registry
from module.packaging.registry.credentials import Access, Credentials
from module.packaging.registry.oci import CONFIG, LAYER, MANIFEST, Layout
from module.packaging.registry.progress import progress
from module.packaging.registry.push import push

_LAYER = bytes(range(256)) * 4000


class Stub:
    """A registry of blobs and tags in memory, on plain HTTP.

    Attributes:
        blobs, tags: what it has.
        puts: ``(bytes received, Content-Range)`` of every upload.
        keeps: how many bytes of the first upload it keeps before the connection breaks; None: all.
        forgets: whether it knows nothing of an upload that broke.
        answers: what it answers to the next requests instead, first to last.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}
        self.puts: list[tuple[int, str]] = []
        self.keeps: int | None = None
        self.forgets = False
        self.partial = b""
        self.answers: list[tuple[int, dict[str, object]]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = f"127.0.0.1:{self.server.server_port}"


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            digest = self.path.rpartition("/")[2]
            self._say(200 if digest in stub.blobs else 404)

        def do_GET(self) -> None:
            if self._instead():
                return
            if "uploads" in self.path:
                header = (
                    {} if stub.forgets else {"Range": f"0-{len(stub.partial) - 1}", "Location": "/v2/a/blobs/uploads/2"}
                )
                self._say(404 if stub.forgets else 204, header)
                return
            tag = stub.tags.get(self.path.rpartition("/")[2])
            digest = {"Docker-Content-Digest": f"sha256:{hashlib.sha256(tag or b'').hexdigest()}"}
            self._say(200 if tag else 404, digest if tag else {})

        def do_POST(self) -> None:
            if not self._instead():
                self._say(202, {"Location": "/v2/a/blobs/uploads/1?_state=x"})

        def do_PUT(self) -> None:
            size = int(self.headers["Content-Length"])
            if "manifests" in self.path:
                stub.tags[self.path.rpartition("/")[2]] = self.rfile.read(size)
                self._say(201)
                return
            if stub.keeps is not None and size > 1000:
                stub.partial = self.rfile.read(stub.keeps)
                stub.puts.append((len(stub.partial), self.headers.get("Content-Range", "")))
                stub.keeps = None
                self.close_connection = True
                return
            body = self.rfile.read(size)
            stub.puts.append((size, self.headers.get("Content-Range", "")))
            content = (stub.partial if self.headers.get("Content-Range") else b"") + body
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            good = digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
            if good:
                stub.blobs[digest] = content
            self._say(201 if good else 400)

        def _instead(self) -> bool:
            if not stub.answers:
                return False
            self._say(stub.answers[0][0], {}, json.dumps(stub.answers.pop(0)[1]).encode())
            return True

        def _say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    for module in (pushing, registry):
        monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))
    made = Stub()
    threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def pushed(stub: Stub, tmp_path: Path) -> Callable[[], pushing.Pushed]:
    layout = Layout(tmp_path / "layout")
    layer, config = layout.put(_LAYER, LAYER), layout.put_json({"a": 1}, CONFIG)
    parts = {"config": config, "layers": [layer]}
    document = {"schemaVersion": 2, "mediaType": MANIFEST} | json.loads(_plain(parts))
    layout.tag(f"{stub.host}/a:1", layout.put_json(document, MANIFEST))
    access = Access(Credentials("user", "kept-secret"), stub.host)
    return lambda: push(layout, reference.parse(f"{stub.host}/a:1"), access, progress())


def _plain(value: object) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def test_one_put_a_blob_and_the_tag_last(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    done = pushed()
    assert sorted(size for size, _ in stub.puts) == sorted(map(len, stub.blobs.values()))
    assert list(stub.tags) == ["1"]
    assert done.sent == sum(map(len, stub.blobs.values()))
    assert pushed().sent == 0
    assert len(stub.puts) == 2


@pytest.mark.parametrize("forgets", [False, True])
def test_an_upload_that_breaks_goes_on_where_the_registry_says(
    stub: Stub, pushed: Callable[[], pushing.Pushed], forgets: bool
) -> None:
    """Only the rest is sent again; all of it to a registry that has forgotten what it had."""
    stub.keeps, stub.forgets = 500_000, forgets
    pushed()
    size = len(_LAYER)
    rest = (size, "") if forgets else (size - 500_000, f"500000-{size - 1}")
    assert [put for put in stub.puts if put[0] > 1000] == [(500_000, ""), rest]
    assert _LAYER in stub.blobs.values()


def test_a_busy_registry_is_asked_again_and_a_limit_ends_it(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    busy = {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}
    stub.answers = [(429, busy), (503, busy)]
    assert pushed().sent
    stub.tags.clear()
    stub.answers = [(429, busy)] * 5
    with pytest.raises(PackagingError, match="429 TOOMANYREQUESTS: slow down"):
        pushed()
    assert stub.tags == {}


def test_a_refusal_is_told_in_the_registrys_words(stub: Stub, pushed: Callable[[], pushing.Pushed]) -> None:
    denied = {"errors": [{"code": "DENIED", "message": "the repository is locked", "detail": {"why": "policy"}}]}
    stub.answers = [(404, {}), (403, denied), (403, denied)]
    with pytest.raises(
        PackagingError, match=r"push to a: 403 DENIED: the repository is locked \(\{'why': 'policy'\}\)"
    ):
        pushed()
    assert stub.tags == {}
