"""Against an independent broker: what the simulator's authors and ours could both have misread shows here."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kills import UNCONFIRMED, cost, kill_at_random
from module_process import Module
from mosquitto import HOW_TO_GET_IT, Driver, Mosquitto, Outputs, found
from simulator_client import addresses, until

pytestmark = [pytest.mark.broker, pytest.mark.skipif(found() is None, reason=HOW_TO_GET_IT)]
ADDRESSES = addresses(group=8)
TURBOFAN = Path(__file__).parents[2] / "examples" / "turbofan"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """Give a fresh broker."""
    async with Mosquitto(next(ADDRESSES), tmp_path) as broker:
        yield broker


@pytest.fixture
def outputs() -> Outputs:
    """Give what the module publishes."""
    return Outputs()


@pytest.fixture
async def driver(broker: Mosquitto, outputs: Outputs) -> AsyncIterator[Driver]:
    """Give a connected client."""
    async with broker.driver(outputs.take) as driver:
        yield driver


async def ready(module: Module) -> None:
    """Wait until the module's persistent session is there: what is sent before it is nobody's."""
    await until(lambda: "ready after" in module.log, 20)


async def test_turbofan_is_scored(broker: Mosquitto, driver: Driver, outputs: Outputs, tmp_path: Path) -> None:
    """2,000 messages: all answered once, in order, with every property that a consumer relies on."""
    bodies = gzip.decompress((TURBOFAN / "telemetry.jsonl.gz").read_bytes()).splitlines()
    bodies = (bodies * (2000 // len(bodies) + 1))[:2000]
    async with Module(broker.environment, tmp_path, SCORING_DIR=TURBOFAN) as module:
        await ready(module)
        for number, body in enumerate(bodies):
            driver.send(number, body, "&site=%C3%84%26")
        await until(lambda: len(outputs.answered) >= 2000, 60)
        assert await module.stop() == 0
    assert outputs.answered == list(range(2000))
    for number, (packet, properties) in enumerate(zip(outputs.packets, outputs.properties, strict=True)):
        assert json.loads(packet.body)
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


async def test_kills_lose_nothing(broker: Mosquitto, driver: Driver, outputs: Outputs, tmp_path: Path) -> None:
    """Five kills at random moments in 10,000 messages: 0 lost, order kept, few duplicates."""
    count, kills = 10_000, 5
    async with Module(broker.environment, tmp_path, TEST_RUN_SECONDS=0.002) as module:
        await ready(module)
        for number in range(count):
            driver.send(number, b'{"n": %d}' % number)
        lives = await kill_at_random(module, lambda: outputs.answered, kills, pause=0.1, every=1000)
        await until(lambda: len(outputs.answered) >= count and len(set(outputs.answered)) == count, 60)
        assert await module.stop() == 0
    lost, _, most, in_order = cost(outputs.answered, count, lives)
    assert (lost, in_order) == (0, True)
    assert most <= UNCONFIRMED
    assert {properties["$.on"] for properties in outputs.properties} == {"amlOutput"}
