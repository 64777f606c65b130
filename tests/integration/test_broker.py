"""Against an independent broker: what the simulator's authors and ours could both have misread shows here."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Module
from mosquitto import HOW_TO_GET_IT, Driver, Mosquitto, found
from simulator_client import until

pytestmark = [pytest.mark.broker, pytest.mark.skipif(found() is None, reason=HOW_TO_GET_IT)]
TURBOFAN = Path(__file__).parents[2] / "examples" / "turbofan"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """Give a fresh broker."""
    async with Mosquitto(free_address(), tmp_path) as broker:
        yield broker


@pytest.fixture
def driver(broker: Mosquitto) -> Iterator[Driver]:
    """Give a connected client."""
    with broker.driver() as driver:
        yield driver


async def ready(module: Module) -> None:
    """Wait until the module's persistent session is there: what is sent before it is nobody's."""
    await until(lambda: "ready after" in module.log, 20)


async def test_turbofan_is_scored(broker: Mosquitto, driver: Driver, tmp_path: Path) -> None:
    """2,000 messages: all answered once, in order, with every property that a consumer relies on."""
    bodies = gzip.decompress((TURBOFAN / "telemetry.jsonl.gz").read_bytes()).splitlines()
    bodies = (bodies * (2000 // len(bodies) + 1))[:2000]
    async with Module(broker.environment, tmp_path, SCORING_DIR=TURBOFAN) as module:
        await ready(module)
        driver.send(bodies)
        await until(lambda: len(driver.outputs) >= 2000, 60)
        assert await module.stop() == 0
    assert driver.answered == list(range(2000))
    for number, (properties, body) in enumerate(driver.outputs):
        assert json.loads(body)
        expected = {
            "$.on": "amlOutput",
            "$.mid": f"m{number}.amlOutput.0",
            "$.cid": f"m{number}",
            "$.ct": "application/json",
            "$.ce": "utf-8",
            "site": "Ä&",
            "AzureMLResponse": "OK",
        }
        assert expected.items() <= properties.items()


async def test_kills_lose_nothing(broker: Mosquitto, driver: Driver, tmp_path: Path) -> None:
    """Five kills at random moments in 10,000 messages: 0 lost, order kept, few duplicates."""
    count, kills = 10_000, 5
    async with Module(broker.environment, tmp_path, TEST_RUN_SECONDS=0.002) as module:
        await ready(module)
        driver.send([b'{"n": %d}' % n for n in range(count)])
        for kill in range(kills):
            await until(lambda kill=kill: len(driver.outputs) > kill * 1000, 30)  # type: ignore[misc]
            await asyncio.sleep(random.expovariate(1 / 0.1))
            await module.kill()
            await module.start()
        await until(lambda: len(driver.outputs) >= count and len(set(driver.answered)) == count, 60)
        assert await module.stop() == 0
    assert list(dict.fromkeys(driver.answered)) == list(range(count))
    assert len(driver.outputs) - count <= kills * 64
    assert {properties["$.on"] for properties, _ in driver.outputs} == {"amlOutput"}
