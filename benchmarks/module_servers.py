"""The module as edgeAgent runs it, behind the local edgeHub or mosquitto; and the floors below both kinds of server."""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from module.messages import InputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

from .broker import ADDRESS, TOPICS, Broker, Driver
from .http_client import Connection, get
from .load import START_LIMIT, Subject, check
from .models import bodies, path
from .processes import BUILD, REPOSITORY, Server

_PORT = 7290
_SYSTEM = {"content_type": "application/json", "content_encoding": "utf-8"}
_PROGRAMS = Path(__file__).parent / "peers"
SCRIPTS = {"instant": 0.0, "10 ms": 0.01}
"""Scripts without a model: seconds that a batch takes."""


class _Answers:
    """Pairs messages with their answers; one that nobody waits for comes twice or late."""

    def __init__(self, model: str) -> None:
        self._bodies = bodies("mlp" if model in SCRIPTS else model, 64)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._last = 0

    async def exchange(self, send: Callable[[int, bytes], Awaitable[None] | None]) -> bytes:
        """Send the next message; gives its answer."""
        number = self._last
        self._last += 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        if (sending := send(number, self._bodies[number % len(self._bodies)])) is not None:
            await sending
        return await answer

    def take(self, number: int, body: bytes) -> None:
        """Take an answer."""
        if waiting := self._waiting.pop(number, None):
            waiting.set_result(body)


@asynccontextmanager
async def behind_simulator(model: str, un_acked: int, expected: float | None) -> AsyncIterator[Subject]:
    """Run the module behind our edgeHub, which gives it so many un-acked messages at a time (the real one: 1)."""
    answers = _Answers(model)

    def upstream(message: RoutedMessage) -> None:
        if message.system.get("output_name"):
            answers.take(int(message.system["correlation_id"][1:]), message.body)

    async with EdgeHub(listen="127.0.0.106", on_upstream=upstream, max_in_flight=un_acked, queue_bound=10_000) as hub:

        async def send(number: int, body: bytes) -> None:
            await hub.send_telemetry(InputMessage(body, "", {"message_id": f"m{number}", **_SYSTEM}))

        async with _module(hub.environment, model, lambda _: answers.exchange(send), expected) as subject:
            yield subject


@asynccontextmanager
async def behind_mosquitto(model: str, un_acked: int, expected: float | None) -> AsyncIterator[Subject]:
    """Run the module behind mosquitto."""
    answers = _Answers(model)
    driver = Driver(answers.take)
    with tempfile.TemporaryDirectory() as folder:
        async with Broker(Path(folder), un_acked) as broker:
            await driver.connect()
            async with _module(broker.environment, model, lambda _: answers.exchange(driver.send), expected) as subject:
                subject.hub = broker.server
                yield subject


@asynccontextmanager
async def _module(
    hub: dict[str, str], model: str, exchange: Callable[[int], Awaitable[bytes]], expected: float | None
) -> AsyncIterator[Subject]:
    """Start the module twice on one journal, and keep the second life."""
    with tempfile.TemporaryDirectory(dir=BUILD) as journal:
        environment = {
            **hub,
            "SCORING_DIR": str(REPOSITORY / "benchmarks" / "script" if model in SCRIPTS else path(model).parent),
            "SCORING_JOURNAL_DIR": journal,
            "SCORING_HTTP_PORT": str(_PORT),
            "PYTHONPATH": str(REPOSITORY),
            "BENCHMARK_RUN_SECONDS": str(SCRIPTS.get(model, 0.0)),
        }
        first, first_s = await _started(environment)
        await first.stop()
        server, second_s = await _started(environment)
        try:
            if expected is not None:
                check(float(orjson.loads(await exchange(0))["y"]), expected)
            yield Subject(server, exchange, (first_s, second_s), runs=_runs)
        finally:
            await server.stop()


async def _started(environment: dict[str, str]) -> tuple[Server, float]:
    began = time.monotonic()
    server = Server([sys.executable, "-m", "module.cli", "run"], "module", environment)
    while (await get(_PORT, "/readyz"))[0] != 200:
        if not server.runs or time.monotonic() - began > START_LIMIT:
            await server.stop()
            raise OSError(f"the module is not ready: see {server.log}")
        await asyncio.sleep(0.005)
    return server, time.monotonic() - began


async def _runs() -> tuple[float, float]:
    """Give requests and runs so far."""
    _, page = await get(_PORT, "/metrics")
    names = ("scoring_batch_size_sum", "scoring_run_seconds_count")
    found = [re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE) for name in names]
    requests, runs = (float(each[1]) if each else 0.0 for each in found)
    return requests, runs


@asynccontextmanager
async def mqtt_client_alone() -> AsyncIterator[Subject]:
    """Run paho, which sends every message back, behind mosquitto."""
    answers = _Answers("mlp")
    driver = Driver(answers.take)
    with tempfile.TemporaryDirectory() as folder:
        async with Broker(Path(folder), 100) as broker:
            await driver.connect()
            program = str(_PROGRAMS / "mqtt_client.py")
            server = Server([sys.executable, program, ADDRESS, broker.authority, TOPICS], "mqtt_client")
            await asyncio.sleep(1)  # it subscribes
            try:
                yield Subject(server, lambda _: answers.exchange(driver.send), hub=broker.server)
            finally:
                await server.stop()


@asynccontextmanager
async def http_server_alone() -> AsyncIterator[Subject]:
    """Run an HTTP server that does nothing: what the load can do."""
    server = Server([sys.executable, _PROGRAMS / "nothing.py", str(_PORT)], "nothing")
    connections = [Connection(_PORT, "/", body) for body in bodies("mlp", 32)]
    await asyncio.sleep(1)
    try:
        yield Subject(server, lambda slot: connections[slot].post())
    finally:
        for connection in connections:
            connection.close()
        await server.stop()
