"""A few minutes of chaos, and what the judges themselves are worth."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from . import verdict, volumes
from .__main__ import prepare
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
@pytest.mark.timeout(600)
def test_rounds_of_a_seed_are_clean(place: Place) -> None:
    """Rounds from a fixed seed, for CHAOS_SECONDS; ``python -m tests.chaos --seed N --round M`` repeats one."""
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        plan = draw_plan(SEED, number, mounts=place.mounts)
        print(plan)
        result = asyncio.run(run_round(plan, place))
        assert not result.violations, f"{plan}\n{verdict.first(result.violations)}\n{place.folder}/round-{number}"
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


def test_the_folder_holds_no_code_of_the_module() -> None:
    """Hub, oracle and judges share nothing with what they judge."""
    for path in Path(__file__).parent.glob("*.py"):
        lines = path.read_text().splitlines()
        assert not [line for line in lines if line.startswith(("from module", "import module", "from scoring"))], path
