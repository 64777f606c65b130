"""Pushing to a registry made for the test: resumed, retried with a limit, refused in its own words."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_stub import Answer, Asked, serving

from module.errors import PackagingError
from module.packaging.registry import push as pushing
from module.packaging.registry import reference, registry
from module.packaging.registry.credentials import Access, Credentials
from module.packaging.registry.oci import CONFIG, LAYER, MANIFEST, Layout
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
        self.host = ""

    def answer(self, asked: Asked) -> Answer | None:
        """Answer one request."""
        if self.answers and asked.method in {"GET", "POST"}:
            return Answer(*self.answers.pop(0))
        name = asked.path.rpartition("/")[2]
        if asked.method == "HEAD":
            return Answer(200 if name in self.blobs else 404)
        if asked.method == "POST":
            return Answer(202, headers={"Location": "/v2/a/blobs/uploads/1?_state=x"})
        if "manifests" not in asked.path:
            return self._put(asked) if asked.method == "PUT" else self._progress()
        if asked.method == "PUT":
            self.tags[name] = asked.body
            return Answer(201)
        digest = f"sha256:{hashlib.sha256(self.tags.get(name, b'')).hexdigest()}"
        return Answer(200, headers={"Docker-Content-Digest": digest}) if name in self.tags else Answer(404)

    def _progress(self) -> Answer:
        there = {"Range": f"0-{len(self.partial) - 1}", "Location": "/v2/a/blobs/uploads/2"}
        return Answer(404) if self.forgets else Answer(204, headers=there)

    def _put(self, asked: Asked) -> Answer | None:
        size, at = int(asked.headers["Content-Length"]), asked.headers.get("Content-Range", "")
        if self.keeps is not None and size > 1000:
            self.partial, self.keeps = asked.first(self.keeps), None
            self.puts.append((len(self.partial), at))
            return None
        self.puts.append((size, at))
        content = (self.partial if at else b"") + asked.body
        digest = asked.query["digest"][0]
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return Answer(400)
        self.blobs[digest] = content
        return Answer(201)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    for module in (pushing, registry):
        monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))
    made = Stub()
    with serving(made.answer) as port:
        made.host = f"127.0.0.1:{port}"
        yield made


@pytest.fixture
def pushed(stub: Stub, tmp_path: Path) -> Callable[[], pushing.Pushed]:
    layout = Layout(tmp_path / "layout")
    layer, config = layout.put(_LAYER, LAYER), layout.put_json({"a": 1}, CONFIG)
    parts = {"config": config, "layers": [layer]}
    document = {"schemaVersion": 2, "mediaType": MANIFEST} | json.loads(_plain(parts))
    layout.tag(f"{stub.host}/a:1", layout.put_json(document, MANIFEST))
    access = Access(Credentials("user", "kept-secret"), stub.host)
    return lambda: push(layout, reference.parse(f"{stub.host}/a:1"), access)


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
