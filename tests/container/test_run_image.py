"""The image that was built without an engine, pushed, pulled and run as a device runs it."""

import asyncio
import gzip
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from engines import Engine
from parts import PASSWORD, USER, Registry
from shell import build, push

from module.messages import InputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

pytestmark = [pytest.mark.container, pytest.mark.timeout(300)]
_TELEMETRY = Path(__file__).parents[2] / "examples" / "turbofan" / "telemetry.jsonl.gz"
_ADDRESS = "127.0.0.61"
_COUNT = 2000


def _rows() -> list[bytes]:
    with gzip.open(_TELEMETRY) as lines:
        return [line.rstrip() for line in itertools.islice(lines, _COUNT)]


async def test_it_scores_on_a_hub_and_stops_in_time(
    engine: Engine, registry: Registry, turbofan: Path, base: str
) -> None:
    """Read-only, user 10001, no capabilities, limited memory; SIGTERM ends it in 2 s, the journal has the rest."""
    image = f"{registry.host}/{engine.name}/scoring:1"
    build(turbofan, image, base)
    assert push(registry, image).code == 0
    engine("login", "--username", USER, "--password-stdin", registry.host, text=PASSWORD)
    engine("pull", image)
    answered: dict[str, int] = {}
    rows = _rows()

    def take(message: InputMessage) -> None:
        key = str(message.system.get("correlation_id"))
        answered[key] = answered.get(key, 0) + ("PredictedRul" in json.loads(message.body))

    async with EdgeHub(listen=_ADDRESS, on_upstream=take, queue_bound=_COUNT) as hub:
        options = _reached(hub)
        with engine.running(image, options) as container:
            await asyncio.wait_for(hub.connected.wait(), 30)
            sending = asyncio.create_task(_send(hub, rows))
            await _until(lambda: len(answered) >= _COUNT // 2)
            user = await asyncio.to_thread(engine, "exec", container, "id", "-u")
            seconds = await _stop(engine, container)
            state = json.loads(engine("inspect", container))[0]["State"]
            await asyncio.to_thread(engine, "start", container)
            await sending
            await _until(lambda: len(answered) == _COUNT)
            again = await _stop(engine, container)
            log = engine.logs(container)
    assert user == "10001"
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False), log
    assert max(seconds, again) < 2, log
    assert set(answered) == {f"m-{number}" for number in range(_COUNT)}, "nothing lost"
    assert "Traceback" not in log
    assert not [secret for secret in ("SharedAccessSignature", "sig=", PASSWORD) if secret in log]


def test_the_workshop_is_not_in_it(engine: Engine, registry: Registry, turbofan: Path, base: str) -> None:
    image = f"{registry.host}/{engine.name}/workshop:1"
    build(turbofan, image, base)
    assert push(registry, image).code == 0
    engine("login", "--username", USER, "--password-stdin", registry.host, text=PASSWORD)
    command = [*engine.command, "run", "--rm", "--network", "host", image, "build", ".", "--image", "r.io/x:1"]
    done = subprocess.run(command, env=engine.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr.strip().splitlines()[-1].startswith("scoring-module: build is not in a device's image: pip install")
    )


_SCRIPTS = {
    "classic": """
import json

def init():
    pass

def run(raw_data):
    return json.dumps([sum(row) for row in json.loads(raw_data)["data"]])
""",
    "scratch": """
import json
import tempfile

def init():
    pass

def run(raw_data):
    with tempfile.TemporaryFile("w+") as file:
        file.write(raw_data)
        file.seek(0)
        return [sum(row) for row in json.load(file)["data"]]
""",
    "batched": """
from scoring import batched

def init():
    pass

@batched(max_size=64)
def run(requests):
    return [[sum(row) for row in request["data"]] for request in requests]
""",
}


@pytest.mark.parametrize("kind", _SCRIPTS)
async def test_a_script_answers_every_message_with_nothing_to_write_on_but_the_journal(
    engine: Engine, registry: Registry, tmp_path: Path, base: str, kind: str
) -> None:
    """No temporary directory, no home, no cache: what a device's read-only container has."""
    folder = tmp_path / kind
    folder.mkdir()
    (folder / "score.py").write_text(_SCRIPTS[kind])
    image = f"{registry.host}/{engine.name}/{kind}:1"
    build(folder, image, base)
    assert push(registry, image).code == 0
    engine("login", "--username", USER, "--password-stdin", registry.host, text=PASSWORD)
    answered: dict[str, object] = {}

    def take(message: RoutedMessage) -> None:
        answered[message.system["correlation_id"]] = json.loads(message.body)

    rows = [json.dumps({"data": [[number, 1], [number, 2]]}).encode() for number in range(_COUNT)]
    async with EdgeHub(listen=_ADDRESS, on_upstream=take, queue_bound=_COUNT) as hub:
        # Without a journal the classic script has nothing to write on at all.
        delivery = ["-e", f"SCORING_DELIVERY={'on-receipt' if kind == 'classic' else 'journal'}"]
        with engine.running(image, [*_reached(hub), *delivery]) as container:
            await asyncio.wait_for(hub.connected.wait(), 30)
            writable = await asyncio.to_thread(engine, "exec", container, "sh", "-c", _WRITABLE)
            await _send(hub, rows)
            with suppress(TimeoutError):
                await _until(lambda: len(answered) == _COUNT)
            log = engine.logs(container)
    assert writable.split() == ["/var/lib/scoring"]
    assert answered == {f"m-{number}": [number + 1, number + 2] for number in range(_COUNT)}, log
    assert "Traceback" not in log


_WRITABLE = (
    'for each in /tmp /var/tmp /run "$HOME" . /var/lib/scoring; do touch "$each/probe" 2>&- && echo "$each"; done'
)


async def _send(hub: EdgeHub, rows: list[bytes]) -> None:
    for number, row in enumerate(rows):
        system = {"message_id": f"m-{number}", "content_type": "application/json", "content_encoding": "utf-8"}
        await hub.send_telemetry(InputMessage(row, "", system=system))


def _reached(hub: EdgeHub) -> list[str]:
    """Give a container's options for this hub, its workload socket open to all users as IoT Edge's is."""
    socket = Path(hub.environment["IOTEDGE_WORKLOADURI"].removeprefix("unix://"))
    socket.parent.chmod(0o755)
    socket.chmod(0o666)
    variables = [f"{name}={value}" for name, value in hub.environment.items()]
    return ["-v", f"{socket.parent}:{socket.parent}", *(part for each in variables for part in ("-e", each))]


async def _stop(engine: Engine, container: str) -> float:
    started = time.monotonic()
    await asyncio.to_thread(engine, "stop", container)
    return time.monotonic() - started


async def _until(condition: Callable[[], bool], limit: float = 60.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - the hub has no event for everything
            await asyncio.sleep(0.01)
