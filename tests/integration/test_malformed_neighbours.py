"""One malformed message among 31 good ones that share its batch: it alone goes to the errors output."""

import asyncio
import json
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Module

from module.messages import InputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

ROUNDS, GROUP = 20, 32
MALFORMED = {
    b'{"n": 1': "the body is not JSON: unexpected end of data at byte 7",
    b'{"m": 1}': "run() failed: score.py line 15: KeyError: 'n'",
    b'{"n": null}': "run() failed: score.py line 15: TypeError: ",
    b'{"n": "\xff"}': "at byte 7",
}
"""Bodies that cannot be decoded or that fail the whole run(), and what is said of each."""


@pytest.mark.parametrize("in_flight", [1, 64])
async def test_its_neighbours_lose_nothing(tmp_path: Path, in_flight: int) -> None:
    """20 rounds of 32: 620 predictions and 20 errors, each message answered once, each error with its cause."""
    predictions: dict[int, float] = {}
    errors: dict[int, str] = {}
    answers = 0

    def take(message: RoutedMessage) -> None:
        nonlocal answers
        answers += 1
        number, value = int(message.system["correlation_id"][1:]), json.loads(message.body)
        if message.system["output_name"] == "errors":
            errors[number] = value["error"]["message"]
        else:
            predictions[number] = value

    bodies = list(MALFORMED)
    expected = {n * GROUP + n: MALFORMED[bodies[n % len(bodies)]] for n in range(ROUNDS)}
    async with (
        EdgeHub(listen=free_address(), on_upstream=take, max_in_flight=in_flight) as hub,
        Module(hub.environment, tmp_path, "doubling") as module,
    ):
        for number in range(ROUNDS * GROUP):
            body = bodies[number // GROUP % len(bodies)] if number in expected else b'{"n": %d}' % number
            system = {"message_id": f"m{number}", "content_type": "application/json", "content_encoding": "utf-8"}
            await hub.send_telemetry(InputMessage(body, "", system))
        async with asyncio.timeout(60):
            while answers < ROUNDS * GROUP:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        mean = await module.metric("scoring_batch_size_sum") / await module.metric("scoring_batch_size_count")
        assert await module.stop() == 0
    assert mean > 4, "they share batches"
    assert predictions == {n: 2 * n for n in range(ROUNDS * GROUP) if n not in expected}
    assert sorted(errors) == sorted(expected)
    assert all(expected[number] in sentence for number, sentence in errors.items())
    assert (len(predictions), len(errors), answers) == (620, 20, 640)
