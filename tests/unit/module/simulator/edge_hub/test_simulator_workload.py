"""The workload API answers on its unix socket what the SDK asks, and refuses the rest."""

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from module.simulator.edge_hub import sas
from module.simulator.edge_hub.faults import Faults
from module.simulator.edge_hub.workload import WorkloadApi

KEY = b"k" * 32
SIGN = "/modules/scoring/genid/1/sign?api-version=2018-06-28"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def path(tmp_path: Path, faults: Faults) -> Iterator[Path]:
    """Give the socket of a running API."""
    path = tmp_path / "workload.sock"
    api = WorkloadApi(path, "PEM", sas.Identity("hub.example", "edge-device", "scoring", KEY), faults)
    api.start()
    yield path
    api.stop()


def ask(path: Path, method: str, target: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request(method, target, body)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def test_it_gives_the_trust_bundle(path: Path) -> None:
    assert ask(path, "GET", "/trust-bundle?api-version=2018-06-28") == (200, {"certificate": "PEM"})


def test_it_signs_with_the_modules_key(path: Path) -> None:
    request = json.dumps({"keyId": "primary", "algo": "HMACSHA256", "data": b64encode(b"text").decode()})
    assert ask(path, "POST", SIGN, request) == (200, {"digest": sas.sign(KEY, b"text")})


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", SIGN, "{}", 400),
        ("POST", SIGN, "nonsense", 400),
        ("POST", SIGN, '{"data": "not base64!"}', 400),
        ("POST", SIGN.replace("scoring", "other"), "{}", 404),
        ("POST", SIGN.replace("genid/1", "genid/2"), "{}", 404),
        ("GET", "/identities", None, 404),
    ],
)
def test_it_refuses_the_rest(path: Path, method: str, target: str, body: str | None, status: int) -> None:
    assert ask(path, method, target, body)[0] == status


def test_it_fails_as_often_as_it_is_told(path: Path, faults: Faults) -> None:
    faults.workload_failures = 1
    assert [ask(path, "GET", "/trust-bundle")[0] for _ in range(2)] == [500, 200]
