"""Which files of a folder docker sends to its daemon, and which ones `build` packs: the same, for any .dockerignore.

The docker command is the real one; the daemon is a stub that lists what it is sent, so that a hundred folders take
seconds. BuildKit looks into folders that are left out for exceptions with wildcards, docker's own builder does not: the
test leaves out what the latter never sees.
"""

import io
import os
import posixpath
import random
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import ClassVar

import pytest
from parts import needs

from module.packaging.image import ignore

pytestmark = pytest.mark.container

NAMES = ("a", "b", "ab", "c.md", "d.txt", "x", "a.md", ".h", "foo", "bar", "a-b", "A")
PARTS = ("*", "**", "?", "*.md", "a*", "*b", "[ab]", "[^a]", "fo?", "**b", "a**", ".*", "[a-c]*", "*.*", "a\\*")


class Daemon(BaseHTTPRequestHandler):
    """As much of a daemon as `docker build` asks."""

    protocol_version = "HTTP/1.1"
    sent: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.answer(b"")

    def do_GET(self) -> None:
        self.answer(b"{}")

    def do_POST(self) -> None:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        Daemon.sent = []
        with suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)) as archive:  # it has no end mark
            for member in archive:
                Daemon.sent += [member.name] * member.isfile()
        self.answer(b'{"stream": "ok"}')

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        for name, value in {"Api-Version": "1.41", "Ostype": "linux", "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def daemon(folder: Path) -> Iterator[list[str]]:
    """Serve, and give the command that builds a folder by it."""
    needs("docker")
    with ThreadingUnixStreamServer(str(folder / "socket"), Daemon) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ["docker", "--config", str(folder), "-H", f"unix://{folder}/socket", "build", "-q", "-f", "-"]
        server.shutdown()


def line(chance: random.Random) -> str:
    """Give a line of a .dockerignore, a strange one at times."""
    parts = "/".join(chance.choice(NAMES + PARTS) for _ in range(chance.choice((1, 1, 2, 2, 3))))
    before = chance.choice(("", "", "!", "!", " ", "! ", "#")) + chance.choice(("", "", "/", "./", "../", "a/../"))
    return before + parts + chance.choice(("", "", "/", "/.")) + chance.choice(("", " ", "\r"))


def unseen(name: str, rules: ignore.IgnoreRules, lines: list[str]) -> bool:
    """Say whether docker's own builder does not look into a folder that this is in."""
    excepted = [posixpath.normpath(each.strip()[1:].strip()).lstrip("/") for each in lines if each.strip()[:1] == "!"]
    folders = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 1)]
    return any(
        rules.leave_out(each) and not any(f"{other}/".startswith(f"{each}/") for other in excepted) for each in folders
    )


def test_the_same_files_as_docker_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore, "NEVER_MEANT", ())
    with daemon(tmp_path) as command:
        for seed in range(60):
            chance, folder = random.Random(seed), tmp_path / str(seed)
            for _ in range(14):
                file = folder / "/".join(chance.choice(NAMES) for _ in range(chance.choice((1, 2, 3))))
                with suppress(OSError):  # there is a file where a folder should be
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.touch()
            lines = [line(chance) for _ in range(chance.randint(1, 5))]
            mark = "\ufeff" if seed % 5 == 0 else ""
            (folder / ".dockerignore").write_text(mark + "\n".join(lines), encoding="utf-8", newline="")
            variables = {**os.environ, "DOCKER_BUILDKIT": "0"}
            subprocess.run([*command, folder], input=b"FROM scratch\n", capture_output=True, env=variables, check=True)
            rules = ignore.IgnoreRules(folder)
            names = (each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
            packed = {each for each in names if not rules.leave_out(each) and not unseen(each, rules, lines)}
            sent = {each for each in Daemon.sent if not each.startswith(".docker")}  # which is sent whatever is said
            assert packed - {".dockerignore"} == sent, f"seed {seed}: {lines}"
