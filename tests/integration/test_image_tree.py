"""What a device's image carries of this runtime: `run`, `replay`, `check` and `quarantine` need no more."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from module_process import SCRIPTS, Answers, Module, send

from module.errors import SettingsError
from module.messages import InputMessage
from module.packaging.image.contents import RUNTIME, gather, runtime, unpack
from module.simulator.edge_hub.hub import EdgeHub

ADDRESS = f"127.61.{os.getpid() % 250 + 1}.1"
ELSEWHERE = "is not in a device's image: pip install 'iotedge-scoring-module[package,simulator]' where images are built"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what the image's runtime layer has."""
    folder = tmp_path_factory.mktemp("image")
    for entry in runtime():
        place = folder / entry.path.removeprefix(f"{RUNTIME}/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry.source, Path):
            shutil.copy(entry.source, place)
        elif entry.source is not None:
            place.write_bytes(entry.source)
            place.chmod(entry.mode)
    return folder


def command(tree: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-P", "-m", "module.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(tree), "ORT_DISABLE_TELEMETRY": "1"}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    file.write_text('{"n": 1}\n{"n": 2}\n')
    return file


async def test_the_module_runs_and_its_quarantine_is_listed(tree: Path, tmp_path: Path) -> None:
    """Scored, answered with an error, stopped; then what could not be scored is listed."""
    answers = Answers()
    async with (
        EdgeHub(listen=ADDRESS, on_upstream=answers.take) as hub,
        Module(hub.environment, tmp_path, "doubling", PYTHONPATH=tree) as module,
    ):
        await send(hub, range(20))
        await hub.send_telemetry(InputMessage(b"{}", "", {"message_id": "m20", "content_type": "application/json"}))
        await answers.count(21)
        assert await module.stop() == 0, module.log
    assert answers.firsts() == list(range(20))
    listed = command(tree, "quarantine", "list", "--journal-dir", tmp_path / "journal", cwd=tmp_path)
    assert (listed.returncode, listed.stdout.count("  m20\n"), listed.stderr) == (0, 1, "")
    assert "    body        {}" in listed.stdout


def test_replay_and_check_work(tree: Path, tmp_path: Path, lines: Path) -> None:
    replayed = command(tree, "replay", "--scoring-dir", SCRIPTS / "doubling", lines, cwd=tmp_path)
    assert [json.loads(line)["body"] for line in replayed.stdout.splitlines()] == [2, 4], replayed.stderr
    checked = command(tree, "check", "--scoring-dir", SCRIPTS / "doubling", "--sample", lines, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "batched" in checked.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", ".", "--image", "r.io/scoring:7"],
        ["push", "r.io/scoring:7"],
        ["inspect", "r.io/scoring:7"],
        ["deploy", "--device", "edge-1"],
        ["manifest", "--help"],
        ["models"],
        ["completion", "bash"],
        ["simulate", "--telemetry", "in.jsonl", "--", "true"],
    ],
)
def test_what_is_not_in_the_image_says_where_it_is(tree: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = command(tree, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"scoring-module: {arguments[0]} {ELSEWHERE}\n"


def test_help_offers_what_is_there_and_says_where_the_rest_is(tree: Path, tmp_path: Path) -> None:
    offered = command(tree, "--help", cwd=tmp_path).stdout
    listed, _, below = offered.partition("Not in this image: ")
    assert re.findall(r"^ {4}([a-z]+)(?: +\S|$)", listed, re.MULTILINE) == ["run", "replay", "check", "quarantine"]
    assert "simulate, init, models, build, push, inspect, manifest, deploy, completion" in " ".join(below.split())
    for wrong, said in (
        ("chek", "did you mean check? (choose from run, replay, check, quarantine)"),
        ("bild", "mean build?"),
    ):
        assert said in command(tree, wrong, cwd=tmp_path).stderr


def test_the_command_is_on_the_path(tree: Path, tmp_path: Path) -> None:
    """So that `docker exec scoring scoring-module quarantine list` works."""
    path = f"{tree / 'usr/local/bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    asked = ["scoring-module", "quarantine", "list"]
    environment = {"PATH": path, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1", "SCORING_JOURNAL_DIR": str(tmp_path)}
    said = subprocess.run(
        [shutil.which(asked[0], path=path), *asked[1:]], env=environment, capture_output=True, check=False
    )
    assert (said.returncode, said.stderr.startswith(b"scoring-module: there is no journal in")) == (2, True)


def test_the_dockerfile_takes_what_build_packs(tmp_path: Path) -> None:
    """Paths, modes and contents; what `build` refuses is refused."""
    scoring, out = tmp_path / "scoring", tmp_path / "out"
    (scoring / "library").mkdir(parents=True)
    for name in ("score.py", "library/deep.py", "model.onnx", "telemetry.jsonl"):
        (scoring / name).write_text(name)
    unpack(str(scoring), str(out))
    contents = gather(scoring, None, None)
    for folder, entries in (("runtime", runtime(os.path.realpath(sys.executable))), ("model", contents.model)):
        made = {path.relative_to(out / folder).as_posix(): path for path in (out / folder).rglob("*")}
        for path, source, mode, *_ in entries:
            expected = source.read_bytes() if isinstance(source, Path) else source
            assert (made[path].stat().st_mode & 0o777, made[path].stat().st_mtime) == (mode, 0)
            assert expected == (made[path].read_bytes() if made[path].is_file() else None)
        assert {path for path, file in made.items() if file.is_file()} <= {each.path for each in entries}
    assert sorted(path.name for path in (out / "script").rglob("*.*")) == ["deep.py", "score.py"]
    assert stat.S_IMODE((out / "script/var/lib/scoring").stat().st_mode) == 0o750
    (scoring / "id_rsa").write_text("x")
    with pytest.raises(SettingsError, match="id_rsa looks like a secret"):
        unpack(str(scoring), str(tmp_path / "again"))
