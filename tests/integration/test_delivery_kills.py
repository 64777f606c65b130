"""Kills, crashes and stops: nothing is lost, the order stays, duplicates are few, good messages are not blamed."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kills import UNCONFIRMED, kill_at_random
from module_process import Answers, Module, send
from simulator_client import addresses

from module.journal.quarantine import quarantined
from module.simulator.edge_hub.hub import EdgeHub

ADDRESSES = addresses(group=5)


@pytest.fixture
def answers() -> Answers:
    """Give what reaches $upstream."""
    return Answers()


@pytest.fixture
async def hub(answers: Answers) -> AsyncIterator[EdgeHub]:
    """Give a hub with one message in flight."""
    async with EdgeHub(listen=next(ADDRESSES), on_upstream=answers.take) as hub:
        yield hub


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_random_kills_lose_nothing(hub: EdgeHub, answers: Answers, tmp_path: Path, seconds: float) -> None:
    """Six kills: 0 lost, none quarantined, order kept, at most 64 duplicates a kill."""
    count, kills = 20_000, 6
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=seconds) as module:
        sending = asyncio.create_task(send(hub, range(count)))
        await kill_at_random(module, lambda: answers.predictions, kills, pause=0.15)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        sent = hub.session.acked + hub.session.waiting + len(hub.session.in_flight)
        await answers.count(sent, 60)
        assert answers.firsts() == list(range(sent))
        assert answers.errors == []
        assert answers.duplicates <= kills * UNCONFIRMED
        assert list(quarantined(tmp_path / "journal")) == []
        assert await module.stop() == 0


async def test_a_message_that_kills_the_process_is_found(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """os.abort() on one of 1,000: after two deaths alone that one is quarantined, 999 are scored."""
    async with Module(hub.environment, tmp_path, "abort") as module:
        reviving = asyncio.create_task(module.revive())
        sending = asyncio.create_task(send(hub, range(1000)))
        await answers.count(1000, 60)
        await sending
        reviving.cancel()
        assert answers.firsts() == [n for n in range(1000) if n != 500]
        assert answers.errors == [500]
        assert module.codes in ([-6, -6, -6], [-6, -6])  # the first one may have been in company
        (kept,) = quarantined(tmp_path / "journal")
        assert "only this message" in kept.reason
        assert "Fatal Python error: Aborted" in module.log


async def test_a_run_that_hangs_ends_the_process_and_is_found(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """Exit code 1, the stack of the scoring thread in the log, and the same rule as for a crash."""
    async with Module(hub.environment, tmp_path, "hang", SCORING_RUN_TIMEOUT_S=1) as module:
        reviving = asyncio.create_task(module.revive())
        sending = asyncio.create_task(send(hub, range(100)))
        await answers.count(100, 60)
        await sending
        reviving.cancel()
        assert set(module.codes) == {1}
        assert len(module.codes) in (2, 3)
        assert answers.firsts() == [n for n in range(100) if n != 30]
        assert answers.errors == [30]
        assert "time.sleep(60)" in module.log
        assert "SCORING_RUN_TIMEOUT_S" in module.log


async def test_a_stop_is_in_time_and_the_next_start_takes_over(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """SIGTERM with a backlog: exit 0 within the stop time-out, without a duplicate; the rest comes first afterwards."""
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0.3, SCORING_MAX_BATCH_SIZE=4) as module:
        sending = asyncio.create_task(send(hub, range(300)))
        await answers.count(8)
        await sending
        started = time.monotonic()
        assert await module.stop() == 0
        assert time.monotonic() - started < 8
    assert 0 < len(answers.predictions) < 300
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0.0) as module:
        await answers.count(300)
        assert answers.predictions == list(range(300))
        assert await module.stop() == 0


async def test_a_batch_that_outlasts_the_stop_is_no_suspect(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """It is left to the next start; it killed nobody."""
    for _ in range(6):
        async with Module(
            hub.environment, tmp_path, TEST_RUN_SECONDS=30, SCORING_MAX_BATCH_SIZE=1, SCORING_STOP_TIMEOUT_S=0.3
        ) as module:
            if not hub.counts.outputs and not hub.session.acked:
                await send(hub, range(3))
            async with asyncio.timeout(20):
                while "ready after" not in module.log.rpartition("messages are left")[2]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert await module.stop() == 0
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0) as module:
        await answers.count(3)
        assert (answers.predictions, answers.errors) == ([0, 1, 2], [])
