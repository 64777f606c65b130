"""A full journal, with both SDKs: held, not acked; it drains by itself; no loss and no storm of redeliveries."""

import asyncio
import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Answers, Module, send
from simulator_client import until

from module.simulator.edge_hub.hub import EdgeHub

NEXT_SDK = "azure-iot-device==2.15.0rc1"


@pytest.fixture(scope="session")
def python_with_next_sdk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give a Python with the SDK's next version in front of everything that is installed here."""
    folder = tmp_path_factory.mktemp("next-sdk")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder / "site"), NEXT_SDK]
    venv.create(folder / "v", with_pip=False)
    installed = subprocess.run(install, capture_output=True, text=True, timeout=110, check=False)
    if installed.returncode:
        pytest.skip(f"{NEXT_SDK} cannot be installed: {installed.stderr.strip().splitlines()[-1:]}")
    (site,) = (folder / "v" / "lib").glob("python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "next.pth").write_text(f"{folder / 'site'}\n{here}\n")
    python = str(folder / "v" / "bin" / "python")
    version = [python, "-c", "from importlib.metadata import version; print(version('azure-iot-device'))"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip() in NEXT_SDK
    return python


@pytest.fixture(params=["2.14", "2.15"])
def python(request: pytest.FixtureRequest) -> str:
    """Give the Python with each SDK that the tap knows."""
    if request.param == "2.14":
        return sys.executable
    found: str = request.getfixturevalue("python_with_next_sdk")
    return found


@pytest.fixture
def answers() -> Answers:
    """Give what reaches $upstream."""
    return Answers()


@pytest.fixture
async def hub(answers: Answers) -> AsyncIterator[EdgeHub]:
    """Give a hub that sends up to 20 messages un-acked, as many as may be held, and soon again."""
    listen = free_address()
    async with EdgeHub(listen=listen, ack_timeout=4.0, max_in_flight=20, on_upstream=answers.take) as hub:
        yield hub


async def test_a_full_journal_drains_by_itself(hub: EdgeHub, answers: Answers, tmp_path: Path, python: str) -> None:
    """Five places, outputs in flight and confirmed slowly: 600 messages in order, each sent to the module once."""
    hub.faults.puback_delay = 0.02
    async with Module(
        hub.environment, tmp_path, python=python, SCORING_MAX_WAITING=5, TEST_RUN_SECONDS=0.001
    ) as module:
        await send(hub, range(600))
        await answers.count(600, 60)
        assert answers.firsts() == list(range(600))
        assert answers.duplicates == 0
        assert hub.session.redelivered == 0
        assert await module.metric("scoring_waiting") <= 5
        assert await module.stop() == 0


async def test_outputs_are_confirmed_while_inputs_are_held(
    hub: EdgeHub, answers: Answers, tmp_path: Path, python: str
) -> None:
    """Nothing is confirmed for 6 s: the journal fills, the hub loses patience and sends again; then all goes on."""
    hub.faults.withhold_pubacks = True
    async with Module(
        hub.environment,
        tmp_path,
        python=python,
        SCORING_MAX_WAITING=10,
        SCORING_MAX_UNCONFIRMED=4,
        SCORING_STALL_TIMEOUT_S=8,
        TEST_RUN_SECONDS=0.001,
    ) as module:
        sending = asyncio.create_task(send(hub, range(300)))
        await until(lambda: hub.session.redelivered > 0, 15)
        assert hub.session.acked == 10
        assert await module.metric("scoring_waiting") == 10
        assert await module.metric("scoring_held") > 0
        hub.faults.withhold_pubacks = False
        await answers.count(300, 60)
        await sending
        assert answers.firsts() == list(range(300))
        assert answers.duplicates <= 4 + 20
        assert await module.stop() == 0


async def test_more_than_may_be_held_is_left_to_the_hub(answers: Answers, tmp_path: Path) -> None:
    """Forty un-acked messages, five places, twenty held: the rest comes again after the ack time-out, none is lost."""
    async with (
        EdgeHub(listen=free_address(), ack_timeout=1.0, max_in_flight=40, on_upstream=answers.take) as hub,
        Module(hub.environment, tmp_path, SCORING_MAX_WAITING=5, TEST_RUN_SECONDS=0.3) as module,
    ):
        await send(hub, range(100))
        await answers.count(100, 60)
        assert "one is left to its redelivery" in module.log


async def test_an_ack_that_comes_too_late_makes_no_duplicate(answers: Answers, tmp_path: Path, python: str) -> None:
    """One in flight, as edgeHub: a message held for longer than the ack time-out is sent again and known again."""
    async with (
        EdgeHub(listen=free_address(), ack_timeout=1.0, on_upstream=answers.take) as hub,
        Module(hub.environment, tmp_path, python=python, SCORING_MAX_WAITING=1, TEST_RUN_SECONDS=2.5) as module,
    ):
        await send(hub, range(5))
        await answers.count(5, 60)
        assert hub.session.redelivered > 0
        assert answers.predictions == list(range(5))
        assert await module.stop() == 0
