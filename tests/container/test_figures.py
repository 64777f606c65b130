"""Build and push, cold and after each kind of change, with a 26.6 MB model; the Dockerfile by buildah beside it.

Measures and prints, seconds as a ratio too, since machines differ; only bytes are passed or failed.
"""

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parts import BASES, PASSWORD, USER, Registry, needs
from shell import scoring_module

pytestmark = [pytest.mark.container, pytest.mark.benchmark, pytest.mark.timeout(900)]
_ROOT = Path(__file__).parents[2]


def _model(directory: Path) -> None:
    (directory / "model.onnx").write_bytes(os.urandom(26_600_000))


def _script(directory: Path) -> None:
    with (directory / "score.py").open("a") as script:
        script.write(f"# {time.monotonic_ns()}\n")


_CHANGES: tuple[tuple[str, Callable[[Path], None], int], ...] = (
    ("cold", lambda _: None, 1),
    ("model changed", _model, 3),
    ("score.py changed", _script, 5),
    ("nothing changed", lambda _: None, 5),
)


def test_build_and_push_beside_buildah(
    registry: Registry, turbofan: Path, base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same changes, in turns: by the command, and by buildah with the Dockerfile and its layer cache.

    Cold: the layout, the engine's storage and the registry's repository are empty, pip's and uv's caches are filled and
    the base is pushed or imported. Bytes are what the registry's storage grew by; seconds are of whole processes.
    """
    needs("buildah")
    login = {"CONTAINER_REGISTRY_SERVER": registry.host, "PYTHONDONTWRITEBYTECODE": ""}
    login |= {"CONTAINER_REGISTRY_USERNAME": USER, "CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    base_name = f"{registry.host}/bases/debian:1"
    _push_base(base_name, base, registry)
    _model(turbofan)
    (turbofan / "requirements.lock").unlink(missing_ok=True)
    ours = _ours(
        turbofan, f"{registry.host}/figures/scoring:1", base_name, tmp_path / "layout", registry=registry, login=login
    )
    other = _ours(
        turbofan, f"{registry.host}/warm/scoring:1", base_name, tmp_path / "warm", registry=registry, login=login
    )
    other()  # fills uv's cache, writes the lock
    context = _context(tmp_path, turbofan)
    with _buildah(context, f"{registry.host}/dockerfile/scoring:1", base, registry, tmp_path) as theirs:
        figures = {}
        for change, make, rounds in _CHANGES:
            pairs = []
            for _ in range(rounds):
                make(turbofan)
                for name in ("model.onnx", "score.py"):
                    shutil.copy(turbofan / name, context / "script")
                pairs.append([_grown(registry, run) for run in (ours, theirs)])
            figures[change] = [
                tuple(map(statistics.median, zip(*side, strict=True))) for side in zip(*pairs, strict=True)
            ]
    with capsys.disabled():
        print(f"\n{'':20} {'scoring-module build --push':>29} {'buildah bud && push':>29}")
        for change, ((seconds, sent), (their_seconds, their_sent)) in figures.items():
            row = f"{change:20} {seconds:8.2f} s {sent:>12,.0f} bytes {their_seconds:8.2f} s {their_sent:>12,.0f} bytes"
            print(f"{row}  {their_seconds / seconds:5.1f} times as long")
        print(json.dumps(figures))
    assert figures["score.py changed"][0][1] <= 40_000
    assert figures["nothing changed"][0][1] == 0


def _grown(registry: Registry, run: Callable[[], None]) -> tuple[float, int]:
    """Give how long something took and how many bytes the registry's storage grew by."""
    before, started = _stored(registry), time.monotonic()
    run()
    return time.monotonic() - started, _stored(registry) - before


def _ours(
    directory: Path, image: str, base: str, layout: Path, *, registry: Registry, login: dict[str, str]
) -> Callable[[], None]:
    options = ("--image", image, "--base", base, "--layout", layout, "--push", "--ca-file", registry.ca)

    def build() -> None:
        ended = scoring_module("build", directory, *options, **login)
        assert ended.code == 0, ended.err

    return build


@contextmanager
def _buildah(context: Path, image: str, base: str, registry: Registry, folder: Path) -> Iterator[Callable[[], None]]:
    environment = {**os.environ, "SSL_CERT_FILE": str(registry.ca), "BUILDAH_ISOLATION": "chroot"}
    storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    names = {"BASE_IMAGE": _import(storage, base), "BUILD_IMAGE": _import(storage, str(_base_with_pip()))}
    arguments = [f"--build-arg={name}={value}" for name, value in {**names, "DIRECTORY": "script"}.items()]
    bud = ["bud", "-q", "--layers", "--network", "host", *arguments, "-t", image, str(context)]
    push = ["push", "-q", "--creds", f"{USER}:{PASSWORD}", image]

    def build() -> None:
        for command in (bud, push):
            full = ["buildah", *storage, *command]
            done = subprocess.run(full, check=False, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]

    try:
        yield build
    finally:
        subprocess.run(["umount", "-l", str(folder / "storage" / "overlay")], check=False)


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
