"""The module as edgeAgent runs it, behind the local edgeHub or mosquitto; and the floors below both kinds of server."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from mosquitto import TOPICS, Mosquitto, number_of
from prometheus_client.parser import text_string_to_metric_families

from module.messages import InputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

from .http_client import Connection, get
from .load import START_LIMIT, Subject, check
from .models import bodies, path
from .processes import BUILD, LOAD_CORE, REPOSITORY, Server

_PORT = 7290
_BROKER = "127.0.0.107"
_Exchange = Callable[[int], Awaitable[bytes]]
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
async def _simulator(model: str, un_acked: int) -> AsyncIterator[tuple[dict[str, str], _Exchange]]:
    """Run our edgeHub, which gives the module so many un-acked messages at a time (the real one: 1)."""
    answers = _Answers(model)

    def upstream(message: RoutedMessage) -> None:
        if message.system.get("output_name"):
            answers.take(int(message.system["correlation_id"][1:]), message.body)

    async with EdgeHub(listen="127.0.0.106", on_upstream=upstream, max_in_flight=un_acked, queue_bound=10_000) as hub:

        async def send(number: int, body: bytes) -> None:
            await hub.send_telemetry(InputMessage(body, "", {"message_id": f"m{number}", **_SYSTEM}))

        yield hub.environment, lambda _: answers.exchange(send)


@asynccontextmanager
async def _mosquitto(model: str, un_acked: int) -> AsyncIterator[tuple[Mosquitto, _Exchange, Server]]:
    """Run mosquitto on the load's core."""
    answers = _Answers(model)
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(_BROKER, Path(folder), un_acked)
        server = Server(broker.command, "mosquitto", core=LOAD_CORE)
        try:
            async with broker.driver(lambda packet: answers.take(number_of(packet), packet.body), qos=0) as driver:
                yield broker, lambda _: answers.exchange(driver.send), server
        finally:
            await server.stop()


@asynccontextmanager
async def behind_simulator(model: str, un_acked: int, expected: float | None) -> AsyncIterator[Subject]:
    """Run the module behind our edgeHub."""
    async with _simulator(model, un_acked) as (hub, exchange), _module(hub, model, exchange, expected) as subject:
        yield subject


@asynccontextmanager
async def behind_mosquitto(model: str, un_acked: int, expected: float | None) -> AsyncIterator[Subject]:
    """Run the module behind mosquitto."""
    async with (
        _mosquitto(model, un_acked) as (broker, exchange, server),
        _module(broker.environment, model, exchange, expected) as subject,
    ):
        subject.hub = server
        yield subject


@asynccontextmanager
async def ack_after_scoring() -> AsyncIterator[Subject]:
    """Run a module that scores in the SDK's way and acks afterwards, behind our edgeHub as it is: one un-acked."""
    async with _simulator("10 ms", 1) as (hub, exchange):
        server = Server([sys.executable, _PROGRAMS / "ack_after_scoring.py"], "ack_after_scoring", hub)
        try:
            yield Subject(server, exchange)
        finally:
            await server.stop()


@asynccontextmanager
async def _module(
    hub: dict[str, str], model: str, exchange: _Exchange, expected: float | None
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
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    found = {sample.name: sample.value for sample in samples}
    return found.get("scoring_batch_size_sum", 0.0), found.get("scoring_run_seconds_count", 0.0)


@asynccontextmanager
async def mqtt_client_alone() -> AsyncIterator[Subject]:
    """Run paho, which sends every message back, behind mosquitto."""
    async with _mosquitto("mlp", 100) as (broker, exchange, hub):
        program = str(_PROGRAMS / "mqtt_client.py")
        server = Server([sys.executable, program, _BROKER, broker.authority, TOPICS], "mqtt_client")
        await asyncio.sleep(1)  # it subscribes
        try:
            yield Subject(server, exchange, hub=hub)
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
