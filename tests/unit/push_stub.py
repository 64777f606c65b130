"""A registry to push to, on plain HTTP or TLS, that does what a test tells it; and an image to push there."""

import hashlib
from collections.abc import Callable

from http_stub import Answer, Asked

from module.packaging.registry import reference
from module.packaging.registry.credentials import Access, Credentials
from module.packaging.registry.oci import CONFIG, LAYER, Layout
from module.packaging.registry.push import Pushed, push

LAYER_BYTES = bytes(range(256)) * 4000


class Stub:
    """A registry of blobs and tags in memory, whose every request may be answered otherwise.

    Attributes:
        blobs, tags: what it has.
        puts: ``(bytes received, Content-Range)`` of every upload.
        keeps: how many bytes of the first upload it keeps before the connection breaks; None: all.
        forgets: whether it knows nothing of an upload that broke.
        partial: upload → what has arrived of it.
        begins: headers of the answer to the beginning of an upload.
        answers: what it answers to the next requests instead, first to last.
        instead: gives another answer to a request, or None for the usual one; False hangs up.
        asked: ``METHOD path`` of each request.
        logins: ``Authorization`` of each request.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}
        self.puts: list[tuple[int, str]] = []
        self.keeps: int | None = None
        self.forgets = False
        self.partial: dict[str, bytes] = {}
        self.begins: dict[str, str] = {}
        self.answers: list[tuple[int, dict[str, object]]] = []
        self.instead: Callable[[Asked], Answer | bool | None] = lambda _: None
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.host = ""

    def answer(self, asked: Asked) -> Answer | None:
        """Answer one request."""
        self.asked.append(f"{asked.method} {asked.target}")
        self.logins.append(asked.headers.get("Authorization", ""))
        other = self.instead(asked)
        if other is not None or (self.answers and asked.method in {"GET", "POST"}):
            return (other or None) if other is not None else Answer(*self.answers.pop(0))
        name = asked.path.rpartition("/")[2]
        if asked.method == "HEAD":
            return Answer(200 if name in self.blobs else 404, headers={"Docker-Content-Digest": name})
        if asked.method == "POST":
            self.partial[str(len(self.asked))] = b""
            return Answer(202, headers={"Location": f"/v2/a/blobs/uploads/{len(self.asked)}?_state=x", **self.begins})
        if "manifests" in asked.path:
            if asked.method == "PUT":
                self.tags[name] = asked.body
                return Answer(201)
            return Answer(200, self.tags[name]) if name in self.tags else Answer(404)
        return self._progress(name) if asked.method == "GET" else self._take(asked, name)

    def _progress(self, upload: str) -> Answer:
        if self.forgets:
            return Answer(404)
        there = f"0-{max(0, len(self.partial[upload]) - 1)}"
        return Answer(204, headers={"Range": there, "Location": f"/v2/a/blobs/uploads/{upload}"})

    def _take(self, asked: Asked, upload: str) -> Answer | None:
        size, at = int(asked.headers["Content-Length"]), asked.headers.get("Content-Range", "")
        if self.keeps is not None and size > 1000:
            self.partial[upload] = asked.first(self.keeps)
            self.puts.append((self.keeps, at))
            self.keeps = None
            return None
        if at and int(at.partition("-")[0]) != len(self.partial[upload]):
            return Answer(416)
        self.puts.append((size, at))
        self.partial[upload] += asked.body
        if asked.method == "PATCH":
            there = {
                "Range": f"0-{len(self.partial[upload]) - 1}",
                "Location": f"/v2/a/blobs/uploads/{upload}?_state=y",
            }
            return Answer(202, headers=there)
        digest = asked.query["digest"][0]
        if digest != f"sha256:{hashlib.sha256(self.partial[upload]).hexdigest()}":
            return Answer(400)
        self.blobs[digest] = self.partial.pop(upload)
        return Answer(201, headers={"Docker-Content-Digest": digest})


def image(layout: Layout, host: str, ca_file: str = "") -> Callable[..., Pushed]:
    """Make an image with a layer of a megabyte; gives what pushes it to that registry, with what was asked ahead."""
    layer, config = layout.put(LAYER_BYTES, LAYER), layout.put_json({"a": 1}, CONFIG)
    layout.tag(f"{host}/a:1", layout.put_manifest(config, [layer]))
    access = Access(Credentials("user", "kept-secret", source="--username"), host, ca_file)
    return lambda *ahead: push(layout, reference.parse(f"{host}/a:1"), access, *ahead)
