"""Without an extra: one sentence that names the library and the extra that it comes with, and no traceback."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
IMPORTED_AS = {"pyyaml": "yaml", "python-dotenv": "dotenv", "pillow": "PIL", "azure-ai-ml": "azure.ai"}
IMAGE = "localhost:1/scoring:1"
RUN = """
import sys
from module import cli
from module.errors import ModuleError
from scoring.errors import ScoringError
for name in sys.argv[1].split(","):
    sys.modules[name] = None
said = []
for line in sys.stdin.read().splitlines():
    try:
        arguments = cli._parser().parse_args(line.split())
        said.append(f"{line} = {arguments.command(arguments)}")
    except (ModuleError, ScoringError) as error:
        said.append(f"{line} ! {error}")
sys.stderr.write("\\n".join(said))
"""


def libraries(extra: str) -> set[str]:
    """Give the names by which the libraries of an extra are imported."""
    found = [re.split(r"[^A-Za-z0-9_.-]", each)[0] for each in EXTRAS[extra]]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in found}


def said(folder: Path, without: set[str], *lines: str) -> list[str]:
    """Run commands in one process that lacks these libraries, and give what each ends with."""
    command = [sys.executable, "-P", "-c", RUN, ",".join(sorted(without))]
    asked = "\n".join(lines)
    done = subprocess.run(command, cwd=folder, input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith(lines)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deployment.template.json").write_text((ROOT / "deployment.template.json").read_text())
    (tmp_path / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "in.jsonl").write_text("{}\n")
    return tmp_path


def test_every_command_names_the_extra_that_it_lacks(folder: Path) -> None:
    needs = {
        f"build . --image {IMAGE} --base oci:gone": "package",
        f"push {IMAGE}": "package",
        f"manifest --image {IMAGE} --no-env": "package",
        "deploy --device edge-1": "package",
        "completion bash": "package",
        "simulate --telemetry in.jsonl": "simulator",
        "init new --from model.onnx": "cpu",
    }
    every = set.union(*(libraries(extra) for extra in ("package", "simulator", "cpu", "images")))
    found = said(folder, every, *needs)
    for line, (command, extra) in zip(found, needs.items(), strict=True):
        sentence = rf"this command needs (\w+), which is not installed: pip install 'iotedge-scoring-module\[{extra}\]'"
        assert (named := re.fullmatch(rf"{re.escape(command)} ! {sentence}", line)), line
        assert named[1] in libraries(extra)


def test_a_bare_model_names_the_extras_that_run_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_DIR", "bare")
    (folder / "bare").mkdir()
    (folder / "model.onnx").rename(folder / "bare" / "model.onnx")
    [line] = said(folder, libraries("cpu"), "replay in.jsonl")
    assert line.endswith("(ONNX Runtime: pip install 'iotedge-scoring-module[cpu]', or [gpu])")


def test_the_extra_that_is_named_is_enough(folder: Path) -> None:
    """What is missing then is no library any more: the image, the values, the file, the hub."""
    only_simulator = libraries("package") - libraries("simulator")
    [line] = said(folder, only_simulator, "simulate --manifest in.jsonl --telemetry in.jsonl")
    assert "in.jsonl is not an IoT Edge deployment" in line
    only_package = libraries("simulator") - libraries("package") | libraries("cpu")
    commands = [f"push {IMAGE}", f"manifest --image {IMAGE} --no-env", "deploy --device edge-1"]
    found = said(folder, only_package, *commands)
    assert not [line for line in found if "pip install" in line]
