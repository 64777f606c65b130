"""A hub in trouble: nothing is lost, and the module recovers by itself or ends within a stated time."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Answers, Module, send

from module.simulator.edge_hub.faults import Faults
from module.simulator.edge_hub.hub import EdgeHub


@pytest.fixture
def answers() -> Answers:
    """Give what reaches $upstream."""
    return Answers()


@pytest.fixture
async def hub(answers: Answers) -> AsyncIterator[EdgeHub]:
    """Give a hub with one message in flight and an ack time-out of 3 s."""
    async with EdgeHub(listen=free_address(), ack_timeout=3.0, on_upstream=answers.take) as hub:
        yield hub


async def _restart(hub: EdgeHub) -> None:
    await hub.restart(away=0.5)


async def _drop(hub: EdgeHub) -> None:
    for _ in range(3):
        hub.drop_connections()
        await asyncio.sleep(0.3)


async def _drop_while_connecting(hub: EdgeHub) -> None:
    for pause in (0.0, 0.01, 0.03):
        connects = hub.session.connects
        hub.drop_connections()
        async with asyncio.timeout(10):
            while hub.session.connects == connects:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await asyncio.sleep(pause)
    hub.drop_connections()


async def _not_authorized(hub: EdgeHub) -> None:
    hub.faults.refuse_connects, hub.faults.refuse_code = 2, 5
    hub.drop_connections()


async def _unavailable(hub: EdgeHub) -> None:
    hub.faults.refuse_connects, hub.faults.refuse_code = 3, 3
    hub.drop_connections()


async def _expire(hub: EdgeHub) -> None:
    hub.faults.token_lifetime = 1.0
    hub.drop_connections()
    await asyncio.sleep(2.5)
    hub.faults.token_lifetime = None


async def _workload(hub: EdgeHub) -> None:
    hub.faults.workload_failures = 3
    hub.drop_connections()


async def _slow_acks(hub: EdgeHub) -> None:
    hub.faults.puback_delay = 0.5
    await asyncio.sleep(2)
    hub.faults.puback_delay = 0.0


async def _no_acks(hub: EdgeHub) -> None:
    hub.faults.withhold_pubacks = True
    await asyncio.sleep(2.5)
    hub.faults.withhold_pubacks = False


FAULTS = [
    _restart,
    _drop,
    _drop_while_connecting,
    _not_authorized,
    _unavailable,
    _expire,
    _workload,
    _slow_acks,
    _no_acks,
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_and_it_recovers(
    hub: EdgeHub, answers: Answers, tmp_path: Path, fault: Callable[[EdgeHub], AsyncIterator[None]]
) -> None:
    """In the middle of 4,000 messages, in the same process: all answered, in order, in less than 20 s."""
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0.002, SCORING_STALL_TIMEOUT_S=2) as module:
        sending = asyncio.create_task(send(hub, range(4000)))
        await answers.count(500)
        began = time.monotonic()
        await fault(hub)  # type: ignore[misc]
        await answers.count(4000, 20)
        await sending
        print(f"{fault.__name__}: {time.monotonic() - began:.1f} s")
        assert answers.firsts() == list(range(4000))
        assert answers.errors == []
        assert answers.duplicates <= 64 * hub.session.connects
        assert await module.stop() == 0
        assert module.codes == [0]


async def test_a_hub_that_confirms_slowly_but_steadily_is_not_dead(
    hub: EdgeHub, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten confirmations a second, the oldest publish waits four times the stall time-out: one connection serves all."""
    free_at = time.monotonic()

    def delay(_: Faults) -> float:
        nonlocal free_at
        free_at = max(free_at, time.monotonic()) + 0.1
        return free_at - time.monotonic()

    monkeypatch.setattr(Faults, "puback_delay", property(delay))
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0, SCORING_STALL_TIMEOUT_S=1) as module:
        await send(hub, range(60))
        await answers.count(60)
        await asyncio.sleep(6.5)
        assert (hub.session.connects, answers.duplicates) == (1, 0)
        assert await module.metric("scoring_answered_total") == 60
        assert await module.stop() == 0


async def test_it_waits_for_a_hub_that_is_not_up_yet(answers: Answers, tmp_path: Path) -> None:
    """The hub may start later than the module; until then it is not ready, and says why."""
    async with EdgeHub(listen=free_address(), on_upstream=answers.take) as hub:
        restarting = asyncio.create_task(hub.restart(away=6.0))  # a busy machine takes seconds to start the module
        await asyncio.sleep(0.1)
        async with Module(hub.environment, tmp_path) as module:
            async with asyncio.timeout(20):
                while "cannot be reached, next try" not in module.log:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            status, why = await module.get("/readyz")
            assert (status, why.startswith("edgeHub cannot be reached, next try in ")) == (503, True)
            assert "Error: " in why  # the SDK's own reason
            await restarting
            await send(hub, range(10))
            await answers.count(10, 10)
            assert (await module.get("/readyz"))[0] == 200


async def test_a_variable_that_is_no_setting_is_in_the_log_and_among_the_facts(hub: EdgeHub, tmp_path: Path) -> None:
    """It stops nothing: it may be somebody else's; the twin reports it, since nobody may ever read the log."""
    said = "SCORING_BATCH_SIZE is no setting, did you mean SCORING_MAX_BATCH_SIZE?"
    async with Module(hub.environment, tmp_path, SCORING_BATCH_SIZE=8, SCORING_LOG_FORMAT="edge") as module:
        async with asyncio.timeout(20):
            while (await module.get("/readyz"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert f"[WRN] {said}\n" in module.log
        assert f"<th>unknownSettings<td>{said}" in (await module.get("/"))[1]
        assert await module.stop() == 0


async def test_it_gives_up_after_the_time_out(answers: Answers, tmp_path: Path) -> None:
    """Exit code 4 with one sentence, no later than the time-out says."""
    async with (
        EdgeHub(listen=free_address(), on_upstream=answers.take) as hub,
        Module(hub.environment, tmp_path, SCORING_HUB_TIMEOUT_S=2) as module,
    ):
        await send(hub, range(10))
        await answers.count(10)
        restarting = asyncio.create_task(hub.restart(away=15))
        began = time.monotonic()
        assert await module.ended(10) == 4
        assert time.monotonic() - began < 9
        assert "was not reached within 2 s (SCORING_HUB_TIMEOUT_S)" in module.log
        restarting.cancel()


async def test_a_workload_api_that_never_answers_is_given_up_too(tmp_path: Path) -> None:
    """The SDK asks it without any time-out: neither the connect nor the end of the process may wait for it."""
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "silent.sock"))
    silent.listen()
    threading.Thread(target=silent.accept, daemon=True).start()
    async with EdgeHub(listen=free_address()) as hub:
        environment = {**hub.environment, "IOTEDGE_WORKLOADURI": f"unix://{tmp_path}/silent.sock"}
        async with Module(environment, tmp_path, SCORING_HUB_TIMEOUT_S=2) as module:
            assert await module.ended(10) == 4
            assert "SCORING_HUB_TIMEOUT_S" in module.log
    silent.close()


async def test_a_stop_does_not_wait_for_a_silent_workload_api(tmp_path: Path) -> None:
    """SIGTERM while connecting ends the process at once."""
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "silent.sock"))
    silent.listen()
    async with EdgeHub(listen=free_address()) as hub:
        environment = {**hub.environment, "IOTEDGE_WORKLOADURI": f"unix://{tmp_path}/silent.sock"}
        async with Module(environment, tmp_path) as module:
            async with asyncio.timeout(10):
                while (await module.get("/livez"))[0] != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await module.stop() == 0
            assert time.monotonic() - began < 9
    silent.close()


async def test_a_second_process_on_one_journal_ends_with_4(hub: EdgeHub, tmp_path: Path) -> None:
    """The first one goes on."""
    async with Module(hub.environment, tmp_path) as first:
        async with asyncio.timeout(10):
            while "ready after" not in first.log:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with Module(hub.environment, tmp_path) as second:
            assert await second.ended() == 4
        assert "another process uses the journal" in first.log
        assert first.runs
