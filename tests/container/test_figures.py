"""Build and push, cold and after each kind of change, with a 26.6 MB model; the Dockerfile by buildah beside it.

Measures and prints; the promises of DELIVERY are checked with room for a busy machine.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from parts import BASES, PASSWORD, USER, Registry, needs
from shell import Ended, scoring_module

pytestmark = [pytest.mark.container, pytest.mark.benchmark, pytest.mark.timeout(900)]
_ROOT = Path(__file__).parents[2]


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
    needs("buildah")
    scoring_module("build", turbofan, "--image", "localhost:1/lock:1", "--base", base)
    context = _context(tmp_path, turbofan)
    _model(context / "script")
    image = f"{registry.host}/dockerfile/scoring:1"
    environment = {**os.environ, "SSL_CERT_FILE": str(registry.ca), "BUILDAH_ISOLATION": "chroot"}
    storage = ["--root", str(tmp_path / "storage"), "--runroot", str(tmp_path / "run")]
    names = {"BASE_IMAGE": _import(storage, base), "BUILD_IMAGE": _import(storage, str(_base_with_pip()))}

    def build() -> int:
        arguments = [f"--build-arg={name}={value}" for name, value in {**names, "DIRECTORY": "script"}.items()]
        buildah = ["buildah", *storage]
        subprocess.run(
            [*buildah, "bud", "-q", "--layers", "--network", "host", *arguments, "-t", image, str(context)],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        before = _stored(registry)
        subprocess.run([*buildah, "push", "-q", "--creds", f"{USER}:{PASSWORD}", image], check=True, env=environment)
        return _stored(registry) - before

    figures = {}
    try:
        for change, make in _CHANGES.items():
            make(context / "script")
            started = time.monotonic()
            grown = build()
            figures[change] = (time.monotonic() - started, grown)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "storage" / "overlay")], check=False)
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


def _context(folder: Path, script: Path) -> Path:
    context = folder / "context"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("module", "scoring"):
        shutil.copytree(_ROOT / name, context / name, ignore=ignore)
    shutil.copytree(script, context / "script")
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(_ROOT / name, context)
    if certificates := os.environ.get("PIP_CERT"):
        shutil.copy(certificates, context / "ca.pem")
    return context


def _base_with_pip() -> Path:
    file = BASES / "debian-amd64-pip.tar"
    if not file.exists():
        needs("mmdebstrap")
        packages = "python3,python3-pip,libstdc++6,ca-certificates"
        unfinished = file.with_name(f"unfinished-{file.name}")
        command = ["mmdebstrap", "--variant=essential", f"--include={packages}", "bookworm", str(unfinished)]
        subprocess.run(command, check=True)
        unfinished.rename(file)
    return file


def _import(storage: list[str], rootfs: str) -> str:
    name = f"localhost/{Path(rootfs).stem}:1"
    container = subprocess.check_output(["buildah", *storage, "from", "scratch"], text=True).strip()
    subprocess.run(["buildah", *storage, "add", "-q", container, rootfs, "/"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["buildah", *storage, "commit", "-q", container, name], check=True, stdout=subprocess.DEVNULL)
    return name


def _stored(registry: Registry) -> int:
    return sum(file.stat().st_size for file in registry.folder.rglob("data") if file.is_file())
