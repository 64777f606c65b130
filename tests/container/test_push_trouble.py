"""What goes wrong on the way to a registry: one sentence each, exit 1, nothing half-tagged; or it goes on by itself."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from addresses import free_port
from parts import PASSWORD, USER, Certificates, Registry, TokenServer, htpasswd
from shell import Ended, build, push, scoring_module

pytestmark = [pytest.mark.container, pytest.mark.timeout(300)]


def refused(ended: Ended, *words: str) -> None:
    """Check that a command ended with one sentence that has these words."""
    assert ended.code == 1
    assert ended.err.count("\n") == 1, ended.err
    assert all(word in ended.err for word in words), ended.err
    assert PASSWORD not in ended.err


def test_wrong_password(registry: Registry, turbofan: Path, base: str) -> None:
    image = f"{registry.host}/wrong/scoring:1"
    build(turbofan, image, base)
    refused(push(registry, image, "guessed"), registry.host, "UNAUTHORIZED")
    assert registry.tags("wrong/scoring") == []


def test_a_token_that_may_only_pull(
    token_registry: Registry, token_server: TokenServer, turbofan: Path, base: str
) -> None:
    token_server.actions = ["pull"]
    image = f"{token_registry.host}/pull-only/scoring:1"
    build(turbofan, image, base)
    refused(push(token_registry, image), "push to pull-only/scoring", "UNAUTHORIZED")
    assert token_registry.tags("pull-only/scoring") == []


def test_a_token_server_that_knows_nobody(token_registry: Registry, turbofan: Path, base: str) -> None:
    image = f"{token_registry.host}/nobody/scoring:1"
    build(turbofan, image, base)
    refused(push(token_registry, image, "guessed"), "does not accept the credentials", "authentication required")


def test_unknown_host(turbofan: Path, base: str) -> None:
    build(turbofan, "no-such-registry.invalid/scoring:1", base)
    refused(scoring_module("push", "no-such-registry.invalid/scoring:1"), "no host no-such-registry.invalid")


def test_a_certificate_of_somebody_else(registry: Registry, turbofan: Path, base: str) -> None:
    image = f"{registry.host}/certificate/scoring:1"
    build(turbofan, image, base)
    refused(scoring_module("push", image), "certificate", "--ca-file")


def test_a_damaged_blob(registry: Registry, turbofan: Path, base: str, tmp_path: Path) -> None:
    """The registry finds that the bytes are not the digest's; we say which file it is."""
    image = f"{registry.host}/damaged/scoring:1"
    own = tmp_path / "layout"
    (turbofan / "score.py").open("a").write("# of this test only\n")
    build(turbofan, image, base, "--layout", own)
    newest = max((own / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    blobs = sorted((own / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    layer = next(file for file in blobs if file.read_bytes()[:2] == b"\x1f\x8b" and file != newest)
    layer.write_bytes(layer.read_bytes()[:-1] + b"\x55")
    ended = scoring_module(
        "push", image, "--layout", own, "--username", USER, "--password-stdin", "--ca-file", registry.ca, text=PASSWORD
    )
    refused(ended, layer.name, "is damaged")
    assert registry.tags("damaged/scoring") == []


def test_a_registry_that_restarts(turbofan: Path, base: str, tmp_path: Path, certificates: Certificates) -> None:
    """A push that finds nobody waits, and goes on when the registry is back."""
    registry = Registry(tmp_path, htpasswd(tmp_path), certificates=certificates)
    image = f"{registry.host}/scoring:1"
    build(turbofan, image, base)
    starting = threading.Timer(2.0, registry.start)
    starting.start()
    ended = push(registry, image)
    starting.join()
    registry.stop()
    assert ended.code == 0, ended.err
    refused(push(registry, image), "cannot be reached", "refused")


@pytest.mark.parametrize("cuts", [1, 1000])
def test_an_upload_that_is_cut(registry: Registry, turbofan: Path, base: str, cuts: int) -> None:
    """A connection that breaks in the middle of a blob is not the end, unless it breaks every time."""
    with cutting_proxy(registry.port, after=3_000_000, times=cuts) as port:
        image = f"localhost:{port}/cut{cuts}/scoring:1"
        build(turbofan, image, base)
        ended = push(registry, image)
    if cuts == 1:
        assert ended.code == 0, ended.err
        assert registry.tags("cut1/scoring")[0] == "1"
    else:
        refused(ended, f"localhost:{port}")
        assert registry.tags("cut1000/scoring") == []


def test_the_registrys_disk_is_full(turbofan: Path, base: str, tmp_path: Path, certificates: Certificates) -> None:
    with small_disk(tmp_path / "small", megabytes=20) as folder:
        registry = Registry(tmp_path, htpasswd(tmp_path), certificates=certificates, data=folder)
        registry.start()
        image = f"{registry.host}/scoring:1"
        build(turbofan, image, base)
        ended = push(registry, image)
        tags = registry.tags("scoring")
        registry.stop()
    refused(ended, registry.host)
    assert tags == []


def test_our_disk_is_full(turbofan: Path, base: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", megabytes=20) as folder:
        ended = scoring_module("build", turbofan, "--image", "localhost:1/full:1", "--base", base, "--layout", folder)
        left = list(folder.rglob(".new-*"))
    refused(ended, "No space left on device")
    assert left == []


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system that is soon full."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root: run .ci/run as root in a VM")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def cutting_proxy(target: int, after: int, times: int) -> Iterator[int]:
    """Forward connections, and cut so many of them once a client has sent so many bytes on one."""
    port = free_port()
    left = [times]
    server = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                upstream = socket.create_connection(("127.0.0.1", target))
                threading.Thread(target=copy, args=(client, upstream, True), daemon=True).start()
                threading.Thread(target=copy, args=(upstream, client, False), daemon=True).start()

    def copy(source: socket.socket, sink: socket.socket, counted: bool) -> None:
        sent = 0
        with suppress(OSError):
            while data := source.recv(65536):
                sent += len(data)
                if counted and sent > after and left[0] > 0:
                    left[0] -= 1
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    yield port
    server.close()
    time.sleep(0.05)
