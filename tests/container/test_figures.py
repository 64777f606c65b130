"""Build and push, cold and after each kind of change, with a 26.6 MB model; the Dockerfile by buildah beside it.

Measures and prints, seconds as a ratio too, since machines differ; only bytes are passed or failed.
"""

import json
import os
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from conftest import EXAMPLE
from dockerfile import dockerfile
from parts import PASSWORD, USER, Registry, needs
from shell import scoring_module

pytestmark = [pytest.mark.container, pytest.mark.benchmark, pytest.mark.timeout(900)]


def _model(directory: Path) -> None:
    """Write the example's model with a field that ONNX does not know: 1000, of so many bytes (protobuf's varints)."""
    plain = (EXAMPLE / "model.onnx").read_bytes()
    (directory / "model.onnx").write_bytes(plain + b"\xc2\x3e\x80\xcc\xd7\x0c" + os.urandom(26_600_960))


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
    """The same changes, in turns: by the command, also without its check, and by buildah with the Dockerfile and cache.

    Cold: the layout, the engine's storage and the registry's repository are empty, pip's and uv's caches are filled and
    the base is pushed or imported. Bytes are what the registry's storage grew by: what is the same for two is stored
    once. Seconds are of whole processes.
    """
    needs("buildah")
    login = {"CONTAINER_REGISTRY_SERVER": registry.host, "PYTHONDONTWRITEBYTECODE": ""}
    login |= {"CONTAINER_REGISTRY_USERNAME": USER, "CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    base_name = f"{registry.host}/bases/debian:1"
    _push_base(base_name, base, registry)
    _model(turbofan)
    (turbofan / "requirements.lock").unlink(missing_ok=True)

    def ours(name: str, *more: str) -> None:
        options = ("--image", f"{registry.host}/{name}/scoring:1", "--base", base_name, "--layout", tmp_path / name)
        ended = scoring_module("build", turbofan, *options, *more, "--push", "--ca-file", registry.ca, **login)
        assert ended.code == 0, ended.err

    ours("warm", "--no-check")  # fills uv's cache, writes the lock
    with dockerfile(tmp_path, turbofan, base, registry.ca) as made:
        image = f"{registry.host}/dockerfile/scoring:1"

        def theirs() -> None:
            made.build(image)
            made.buildah("push", "-q", "--creds", f"{USER}:{PASSWORD}", image)

        sides = {
            "build --push": partial(ours, "checked"),
            "… --no-check": partial(ours, "unchecked", "--no-check"),
            "buildah bud && push": theirs,
        }
        figures = {}
        for change, make, rounds in _CHANGES:
            times = []
            for _ in range(rounds):
                make(turbofan)
                for name in ("model.onnx", "score.py"):
                    shutil.copy(turbofan / name, made.script)
                times.append([_grown(registry, run) for run in sides.values()])
            figures[change] = [
                tuple(map(statistics.median, zip(*side, strict=True))) for side in zip(*times, strict=True)
            ]
    with capsys.disabled():
        print(f"\n{'':18}" + "".join(f"{side:>38}" for side in sides))
        for change, measured in figures.items():
            longest = measured[-1][0]
            cells = (f"{each:8.2f} s {sent:>12,.0f} B, 1/{longest / each:<4.1f}" for each, sent in measured)
            print(f"{change:18}" + "".join(f"{cell:>38}" for cell in cells))
        print(json.dumps(figures))
    for side in (0, 1):
        assert figures["score.py changed"][side][1] <= 40_000
        assert figures["nothing changed"][side][1] == 0


def _grown(registry: Registry, run: Callable[[], None]) -> tuple[float, int]:
    """Give how long something took and how many bytes the registry's storage grew by."""
    before, started = _stored(registry), time.monotonic()
    run()
    return time.monotonic() - started, _stored(registry) - before


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


def _stored(registry: Registry) -> int:
    return sum(file.stat().st_size for file in registry.folder.rglob("data") if file.is_file())
