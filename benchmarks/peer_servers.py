"""The peers from PyPI: each in an environment of its own, asked over HTTP."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import orjson

from .http_client import Connection
from .load import START_LIMIT, Subject, check
from .models import bodies, path
from .processes import BUILD, Server

_CODE = Path(__file__).parent / "peers"
_PORT = 7250


@dataclass(frozen=True)
class Peer:
    """One server.

    Attributes:
        name, requirement: what it is called; what to install.
        url: where requests go.
        argv: what to start, in ``bin`` of its environment.
        settings: name → the most requests in a batch, and other variables of the environment.
        override: a requirement of its own that it may have in any version.
    """

    name: str
    requirement: str
    url: str
    argv: tuple[str | Path, ...]
    settings: dict[str, tuple[int, dict[str, str]]]
    override: str = ""

    def body(self, plain: bytes, batch: int) -> bytes:
        """Give the same numbers in the form that this server takes."""
        numbers = plain.partition(b":")[2][:-1]
        if self.name == "MLServer":
            shape, inner = [1], orjson.loads(numbers)
            while isinstance(inner, list):
                shape, inner = [*shape, len(inner)], inner[0]
            head = b'{"inputs":[{"name":"x","datatype":"FP32","shape":%s,"data":' % orjson.dumps(shape)
            return head + numbers + b"}]}"
        return b'{"x":[%s]}' % numbers if self.name == "BentoML" and batch > 1 else plain

    def value(self, answer: bytes) -> float:
        """Give the prediction that an answer holds."""
        value = orjson.loads(answer)
        if isinstance(value, dict):
            value = value["outputs"][0]["data"] if "outputs" in value else value["y"]
        return float(value[0] if isinstance(value, list) else value)


_THREAD = {"GUNICORN_CMD_ARGS": "--worker-class gthread --threads 1 --keep-alive 60"}
_BATCHING: dict[str, tuple[int, dict[str, str]]] = {"no batching": (1, {}), "batch 32": (32, {})}
PEERS = (
    Peer(
        "azureml-inference-server-http",
        "azureml-inference-server-http==1.5.1",
        "/score",
        ("azmlinfsrv", "--entry_script", _CODE / "azureml_score.py", "--port", str(_PORT)),
        {"as it is": (1, {}), "keep-alive": (1, _THREAD)},
    ),
    Peer("MLServer", "mlserver==1.7.1", "/v2/models/model/infer", ("python", _CODE / "mlserver_runtime.py"), _BATCHING),
    Peer("LitServe", "litserve==0.2.19", "/predict", ("python", _CODE / "litserve_api.py"), _BATCHING),
    Peer(
        "BentoML",
        "bentoml==1.4.40",
        "/score",
        ("bentoml", "serve", "bentoml_service:Service", "--working-dir", _CODE, "--port", str(_PORT)),
        _BATCHING,
        override="certifi",
    ),
)


def installed(peer: Peer) -> str:
    """Make the peer's environment once, with our version of ONNX Runtime; gives why it cannot be made, else nothing."""
    environment = BUILD / peer.name
    wanted = f"{peer.requirement} onnxruntime=={version('onnxruntime')}"
    done, overrides = environment / ".installed", BUILD / "overrides.txt"
    if done.exists() and done.read_text() == wanted:
        return ""
    shutil.rmtree(environment, ignore_errors=True)
    overrides.write_text(peer.override)
    tool, into = [sys.executable, "-m", "uv"], ["--python", str(environment), "--override", str(overrides)]
    for command in (
        [*tool, "venv", "--quiet", "--python", sys.executable, str(environment)],
        [*tool, "pip", "install", "--quiet", *into, *wanted.split()],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if made.returncode:
            return " ".join(made.stderr.split())[:200] or f"exit code {made.returncode}"
    done.write_text(wanted)
    return ""


@asynccontextmanager
async def peer(which: Peer, setting: str, model: str, expected: float) -> AsyncIterator[Subject]:
    """Run a peer with one model.

    Raises:
        OSError: it ended, or does not answer within START_LIMIT.
        ValueError: its prediction for the first body is not the ``expected`` one.
    """
    batch, more = which.settings[setting]
    programs = BUILD / which.name / "bin"
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(_CODE),
        "BENCHMARK_MODEL": str(path(model)),
        "BENCHMARK_PORT": str(_PORT),
        "BENCHMARK_BATCH": str(batch),
        "BENTOML_DO_NOT_TRACK": "True",
        **more,
    }
    connections = [Connection(_PORT, which.url, which.body(body, batch)) for body in bodies(model, 32)]
    began = time.monotonic()
    server = Server([programs / which.argv[0], *which.argv[1:]], which.name, environment)
    try:
        check(which.value(await _first_answer(server, connections[0])), expected)
        yield Subject(server, lambda slot: connections[slot].post(), (time.monotonic() - began,))
    finally:
        for connection in connections:
            connection.close()
        await server.stop()


async def _first_answer(server: Server, connection: Connection) -> bytes:
    end = time.monotonic() + START_LIMIT
    while True:
        try:
            return await connection.post()
        except OSError as error:
            if not server.runs or time.monotonic() > end:
                raise OSError(f"no answer ({error}): see {server.log}") from error
        await asyncio.sleep(0.01)
