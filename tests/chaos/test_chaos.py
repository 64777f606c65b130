"""A few minutes of chaos, and what the judges themselves are worth."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from . import verdict, volumes
from .__main__ import arguments_from, prepare
from .plan import FOLDERS, Plan, draw_plan
from .round import Place, run_round

SEED = int(os.environ.get("CHAOS_SEED", "10"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "200"))
COUNT = int(os.environ.get("CHAOS_MESSAGES", "1000"))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Give what rounds share."""
    return prepare(tmp_path_factory.mktemp("chaos"))


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_rounds_of_a_seed_are_clean(place: Place) -> None:
    """Rounds from a fixed seed, for CHAOS_SECONDS; ``python -m tests.chaos --seed N --round M`` repeats one."""
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        plan = draw_plan(SEED, number, mounts=place.mounts)
        print(plan)
        result = asyncio.run(run_round(plan, place))
        if result.violations:  # when a signal meets the process is up to the machine: what is wrong shows again
            warnings.warn(f"once: {plan}\n{verdict.first(result.violations)}", stacklevel=1)
            again = [asyncio.run(run_round(plan, place)).violations for _ in range(2)]
            assert again == [[], []], f"{plan}\n{verdict.first([*again[0], *again[1]])}\n{place.folder}/round-{number}"
        number += 1


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [kind for kind in FOLDERS if kind != "plain"])
def test_nothing_sticks_on_this_file_system(place: Place, kind: str) -> None:
    """Messages through a volume of 16 MB, CHAOS_MESSAGES of them (1,000; 10,000 by hand): all answered."""
    if not volumes.can_mount():
        pytest.skip(f"mounting {kind} {volumes.NEEDS}")
    plan = Plan(
        seed=SEED,
        number=10_000 + FOLDERS.index(kind),
        script="batched",
        count=COUNT,
        seconds=COUNT / 500,
        window=1,
        odd=0.05,
        folder=kind,
        settings={"SCORING_MAX_WAITING_MB": "32"},
    )
    try:
        result = asyncio.run(run_round(plan, place))
    except volumes.VolumeError as error:
        pytest.skip(f"{error}: {volumes.NEEDS}")
    assert not result.violations, f"{plan}\n{verdict.first(result.violations)}\n{place.folder}"
    assert result.outputs >= COUNT


def test_a_plan_is_its_seed_and_number() -> None:
    """The same two numbers give the same plan; no mounts change nothing but the folder and what needs one."""
    assert str(draw_plan(7, 3)) == str(draw_plan(7, 3))
    assert str(draw_plan(7, 3)) != str(draw_plan(7, 4))
    assert draw_plan(7, 3, mounts=False).script == draw_plan(7, 3).script


def test_the_example_of_the_readme_has_faults() -> None:
    """The round that a reader tries first shows something."""
    examples = re.findall(r"--seed (\d+) --round (\d+)", Path(__file__).with_name("README.md").read_text())
    assert examples
    for seed, number in examples:
        assert len(draw_plan(int(seed), int(number), mounts=False).events) > 1


def test_names_to_leave_out_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nothing has would leave out nothing; --help lists those that there are."""
    assert arguments_from(["--without", "twins,kill early,regex,poison,ext2"]).without == {
        *("twins", "kill early", "regex", "poison", "ext2")
    }
    assert arguments_from([]).without == frozenset()
    with pytest.raises(SystemExit) as caught:
        arguments_from(["--without", "twins,nosuchthing"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "nosuchthing" in said
    assert "kill early" in said
    with pytest.raises(SystemExit):
        arguments_from(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "kill early" in shown
    assert "global_dict" in shown


@pytest.mark.chaos
def test_a_terminated_run_leaves_no_module_and_no_mount(tmp_path: Path) -> None:
    """SIGTERM in the middle of a round on a volume (without root: on none)."""
    words = [sys.executable, "-m", "tests.chaos", "--seed", "7", "--round", "18", "--folder", str(tmp_path)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[2]) as runner:
        log, end = tmp_path / "round-18" / "module.log", time.monotonic() + 60
        while time.monotonic() < end and not (log.exists() and log.stat().st_size):
            time.sleep(0.05)
        assert _modules_in(log.parent)
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(30) == 143
    assert not _modules_in(log.parent)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def _modules_in(folder: Path) -> list[str]:
    """Give the processes whose working directory this is."""
    found = subprocess.run(["find", "/proc", "-maxdepth", "2", "-name", "cwd", "-lname", f"{folder}*"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    return found.stdout.split()


def test_the_folder_holds_no_code_of_the_module() -> None:
    """Hub, oracle and judges share nothing with what they judge."""
    for path in Path(__file__).parent.glob("*.py"):
        lines = path.read_text().splitlines()
        assert not [line for line in lines if line.startswith(("from module", "import module", "from scoring"))], path
