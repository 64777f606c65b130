"""Every command block and snippet of the pages that a machine without Azure can run does what it says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from addresses import free_address
from pages import ROOT, Block, blocks, copy_to, pages

INSTALLERS = ("pip", "pip3", "uv", "apt-get", "docker", "git", "az")
EXTRAS = ("cpu,simulator,examples", "cpu,examples,dev")
COMMANDS = {page: [block for block in blocks(page, "sh") if not block.not_run] for page in pages()}
PYTHON = [block for page in pages() for block in blocks(page, "python") if not block.not_run]
JSON = [block for page in pages() for block in blocks(page, "json") if not block.not_run]


def place(block: Block) -> str:
    return block.place


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a copy of the repository as scripts/demo leaves it: with an environment, which is this one.

    Its ``simulate`` has an address of its own: 127.0.0.1:8883 may be somebody else's.
    """
    folder = tmp_path / "clone"
    copy_to(folder)
    bin_ = folder / ".venv/bin"
    bin_.mkdir(parents=True)
    here = Path(sys.executable).parent
    for name in ("python", "python3", "pytest"):
        (bin_ / name).write_text(f'#!/bin/sh\nexec {here / name} "$@"\n')
    (bin_ / "scoring-module").write_text(
        f"""#!/bin/sh
[ "$1" != simulate ] || {{ shift; set -- simulate --listen {free_address()} "$@"; }}
exec {sys.executable} -P -m module.cli "$@"
"""
    )
    (bin_ / "activate").write_text(f"PATH={bin_}:$PATH\n")
    for name in INSTALLERS:
        (bin_ / name).write_text(f'#!/bin/sh\necho "mark the block: no test runs {name}" >&2\nexit 1\n')
    for each in bin_.iterdir():
        each.chmod(0o755)
    for extras in EXTRAS:
        (folder / f".venv/.installed-{extras}").write_text(f"{folder}\n{(ROOT / 'pyproject.toml').read_text()}")
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page, found in COMMANDS.items() if found])
def test_the_commands_of_a_page_run_one_after_the_other(page: str, clone: Path, tmp_path: Path) -> None:
    """In one shell, as a reader types them; what one exports the next one has."""
    ours = ("SCORING_", "IOTEDGE_", "AZUREML_", "AML_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(clone), "ORT_DISABLE_TELEMETRY": "1"}
    environment |= {"PATH": f"{clone}/.venv/bin:/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    text = "set -eux -o pipefail\n" + "\n".join(f"# {block.place}\n{block.text}" for block in COMMANDS[page])
    done = subprocess.run(
        ["bash", "-c", text], cwd=clone, env=environment, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("block", PYTHON, ids=place)
def test_a_snippet_is_a_script_that_scores_or_runs_as_it_is(
    block: Block, models: Path, tmp_path: Path, process: pytest.MonkeyPatch, tried: Any
) -> None:
    """A score.py lies beside a model with one input, ``x``, and scores it; any other snippet is run as it is."""
    process.chdir(tmp_path)
    if "def run(" not in block.text:
        exec(compile(block.text, block.place, "exec"), {})
        return
    (tmp_path / "score.py").write_text(block.text)
    shutil.copy(models / "affine/model.onnx", tmp_path)
    trial = tried(tmp_path, b'{"x": [1, 2, 3]}')
    assert (trial.error, trial.findings, trial.ok) == ("", [], True), trial.user_traceback


@pytest.mark.parametrize("block", JSON, ids=place)
def test_what_is_called_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("page", pages())
def test_every_block_says_what_it_is(page: str) -> None:
    """Commands, Python and JSON are run or read; anything else is ``text``, or a language that nothing here runs."""
    known = {block.line for block in blocks(page, "sh", "python", "json", "text", "dockerfile", "yaml")}
    unknown = [block.place for block in blocks(page, "", "bash", "console", "shell", "py") if block.line not in known]
    assert unknown == []
