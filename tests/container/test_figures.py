"""Build and push, cold and after each kind of change, with a 26.6 MB model; the Dockerfile by buildah beside it.

Measures and prints; the promises of DELIVERY are checked with room for a busy machine.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dockerfile import dockerfile
from parts import PASSWORD, USER, Registry
from shell import Ended, scoring_module

pytestmark = [pytest.mark.container, pytest.mark.benchmark, pytest.mark.timeout(900)]


def _model(directory: Path) -> None:
    (directory / "model.onnx").write_bytes(os.urandom(26_600_000))


def _script(directory: Path) -> None:
    with (directory / "score.py").open("a") as script:
        script.write(f"# {time.monotonic_ns()}\n")


_CHANGES: dict[str, Callable[[Path], None]] = {
    "cold": lambda _: None,
    "model changed": _model,
    "score.py changed": _script,
    "nothing changed": lambda _: None,
}


def test_build_and_push(
    registry: Registry, turbofan: Path, base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cold: the layout and the registry's repository are empty, uv's wheel cache is filled, the base is pushed."""
    base_name = f"{registry.host}/bases/debian:1"
    ca, login = ("--ca-file", str(registry.ca)), {"CONTAINER_REGISTRY_SERVER": registry.host}
    login |= {"CONTAINER_REGISTRY_USERNAME": USER, "CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    _push_base(base_name, base, registry)
    _model(turbofan)
    image, own = f"{registry.host}/figures/scoring:1", tmp_path / "layout"

    def build() -> Ended:
        options = ("--image", image, "--base", base_name, "--layout", own, "--push", *ca)
        ended = scoring_module("build", turbofan, *options, **login)
        assert ended.code == 0, ended.err
        return ended

    (turbofan / "requirements.lock").unlink(missing_ok=True)
    scoring_module(
        "build",
        turbofan,
        "--image",
        "localhost:1/warm:1",
        "--base",
        base_name,
        "--layout",
        tmp_path / "warm",
        *ca,
        **login,
    )  # fills uv's cache, writes the lock
    figures = {"no wheel cache": _uncached(turbofan, base_name, registry, tmp_path, login)}
    for change, make in _CHANGES.items():
        make(turbofan)
        ended = build()
        figures[change] = (ended.seconds, ended.sent)
    _show(capsys, "without an engine", figures)
    assert figures["cold"][0] <= 10 * 1.5
    assert figures["model changed"][0] <= 1 * 2
    assert figures["score.py changed"][0] <= 0.5 * 2
    assert figures["score.py changed"][1] <= 20_000
    assert figures["nothing changed"][1] == 0


def test_the_dockerfile_beside_it(
    registry: Registry, turbofan: Path, base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Dockerfile at the root, by buildah with its layer cache; bytes are what the registry's storage grew by."""
    scoring_module("build", turbofan, "--image", "localhost:1/lock:1", "--base", base)
    image = f"{registry.host}/dockerfile/scoring:1"
    figures = {}
    with dockerfile(tmp_path, turbofan, base, registry.ca) as made:
        for change, make in {"cold": _model, **_CHANGES}.items():
            make(made.script)
            started, before = time.monotonic(), stored(registry)
            made.build(image)
            made.buildah("push", "-q", "--creds", f"{USER}:{PASSWORD}", image)
            figures[change] = (time.monotonic() - started, stored(registry) - before)
    _show(capsys, "Dockerfile, buildah", figures)


def _uncached(directory: Path, base: str, registry: Registry, folder: Path, login: dict[str, str]) -> tuple[float, int]:
    """Build and push with nothing at hand but the base image in the registry."""
    options = ("--image", f"{registry.host}/uncached/scoring:1", "--base", base, "--layout", folder / "uncached")
    variables = {**login, "UV_CACHE_DIR": str(folder / "uv")}
    ended = scoring_module("build", directory, *options, "--push", "--ca-file", registry.ca, **variables)
    assert ended.code == 0, ended.err
    return ended.seconds, ended.sent


def _show(capsys: pytest.CaptureFixture[str], how: str, figures: dict[str, tuple[float, int]]) -> None:
    with capsys.disabled():
        print()
        for change, (seconds, sent) in figures.items():
            print(f"  {how:20} {change:18} {seconds:6.2f} s {sent:>12,} bytes")
        print(json.dumps({how: figures}))


def _push_base(name: str, base: str, registry: Registry) -> None:
    """Push the bare base image, with what an engine would take for a push of it."""
    from module.packaging.image import base_files
    from module.packaging.registry import reference
    from module.packaging.registry.credentials import Access, Credentials
    from module.packaging.registry.oci import Layout
    from module.packaging.registry.push import push

    layout = Layout()
    layout.tag(name, base_files.from_file(layout, base, "linux/amd64"))
    access = Access(Credentials(USER, PASSWORD), registry.host, str(registry.ca))
    push(layout, reference.parse(name), access)


def stored(registry: Registry) -> int:
    return sum(file.stat().st_size for file in registry.folder.rglob("data") if file.is_file())
