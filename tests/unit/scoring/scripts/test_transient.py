"""What is not the message's fault is tried again, in order, and never answered as if it were."""

import asyncio
import errno
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from unit_parts import Seen, answering, batched_script, requests, scored, values

from scoring import patience
from scoring.batch import BatchLimits
from scoring.batcher import Batcher
from scoring.errors import RequestError, RunError, TransientError
from scoring.scoring_thread import ScoringThread
from scoring.scripts.answering import is_transient
from scoring.scripts.kinds import one_at_a_time
from scoring.scripts.kinds.run_function import read_run
from scoring.scripts.loading import choose_kind

HERE = Path(__file__).parent


class ReadTimeout(OSError):  # noqa: N818
    """As requests and httpx have it."""


class Fail(Exception):  # noqa: N818
    """As ONNX Runtime has it."""

    __module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ConnectionRefusedError(),
        TimeoutError(),
        socket.gaierror(),
        ReadTimeout(),
        OSError(errno.ENOMEM, "no memory"),
        Fail("CUDA failure 2: out of memory"),
    ],
)
def test_memory_device_and_network_pass(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),
        KeyError("x"),
        FileNotFoundError(2, "gone"),
        Fail("INVALID_ARGUMENT"),
        RequestError(),
    ],
)
def test_everything_else_is_the_messages_fault(error: Exception) -> None:
    assert not is_transient(error)


class Service:
    """A run() that needs something which is away for its first calls."""

    def __init__(self, away: int) -> None:
        self.away, self.calls = away, [0]

    def run(self, requests: list[object]) -> list[object]:
        self.calls.append(len(requests))
        if len(self.calls) - 1 <= self.away:
            raise ConnectionRefusedError("the service is away")
        if "bad" in requests:
            raise ValueError("bad")
        return list(requests)


async def scored_by(
    service: Service, given: list[object], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[object], Seen]:
    """Score requests of a message each, with pauses a hundredth as long."""
    monkeypatch.setattr(patience, "_PAUSE", 0.005)
    monkeypatch.setattr(patience, "_MAX_PAUSE", 0.02)
    seen = Seen()
    thread = ScoringThread(asyncio.get_running_loop())
    gathered = Batcher(batched_script(service.run), thread, BatchLimits(4), seen)
    answers = [gathered.submit(requests([each])) for each in given]
    outcomes = [outcome for answer in answers for outcome in await asyncio.wait_for(answer, 10)]
    thread.stop()
    return values(outcomes), seen


async def test_all_are_scored_in_order_once_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, seen = await scored_by(Service(away=30), list(range(10)), monkeypatch)
    assert outcomes == list(range(10))
    assert seen.pauses[:3] == [0.005, 0.01, 0.02]
    assert max(seen.pauses) == 0.02


async def test_after_two_batches_that_fail_whole_they_are_no_longer_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halving costs calls that cannot succeed; once one does, it is back."""
    service = Service(away=20)
    outcomes, _ = await scored_by(service, [0, 1, "bad", 3], monkeypatch)
    assert [type(outcome) for outcome in outcomes] == [int, int, RunError, int]
    halved, patient = service.calls[1:15], service.calls[15:19]
    assert halved == [4, 2, 1, 1, 2, 1, 1] * 2
    assert set(patient) == {4}


def test_only_what_follows_the_failure_is_scored_again() -> None:
    """Those before it have their outcomes: a batch that was too large for the memory makes progress."""

    def run(requests: list[object]) -> list[object]:
        if len(requests) > 1 or requests == [2]:
            raise MemoryError
        return requests

    outcomes = scored(run, [0, 1, 2, 3])
    assert outcomes[:2] == [0, 1]
    assert isinstance(outcomes[2], TransientError)
    assert len(outcomes) == 3


def test_a_script_that_takes_one_request_stops_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(raw_data: object) -> object:
        if raw_data == "away":
            raise ConnectionResetError
        return raw_data

    monkeypatch.setattr(one_at_a_time, "TURN", 60.0)
    kind = choose_kind(read_run(run, HERE / "score.py"), answering(run))
    outcomes = values(kind.score(requests(["a", "away", "b"])))
    assert outcomes[0] == "a"
    assert isinstance(outcomes[1], TransientError)
    assert len(outcomes) == 2


def test_a_failure_of_the_script_is_none() -> None:
    def run(requests: list[object]) -> list[object]:
        raise KeyError("rul")

    assert [type(outcome) for outcome in scored(run, [1, 2])] == [RunError, RunError]


@pytest.mark.parametrize(("sample", "blamed"), [("good", True), ("bad", False)])
async def test_the_sample_shows_whose_fault_it_is_where_no_message_does(
    sample: str, blamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message alone in line: if run() can score the sample.json beside the script, it is the message."""
    monkeypatch.setattr(patience, "_PAUSE", 0.005)
    monkeypatch.setattr(patience, "_MAX_PAUSE", 0.02)
    seen: list[object] = []

    def run(given: list[object]) -> list[object]:
        seen.extend(given)
        if "bad" in given:
            raise TimeoutError("too late")
        return given

    thread, kept = ScoringThread(asyncio.get_running_loop()), Seen()
    script = replace(batched_script(run), probe=sample)
    gathered = Batcher(script, thread, BatchLimits(4, tries=2), kept)
    good = values(await gathered.submit(requests(["good"]), 7))
    answer = gathered.submit(requests(["bad"]), 8)
    await asyncio.wait([answer], timeout=5 if blamed else 0.3)
    thread.stop()
    assert good == ["good"]
    assert answer.done() is blamed
    assert not blamed or isinstance(answer.result()[0], RunError)
    assert {tuple(owners) for owners in kept.owners} == {(7,), (8,), ()}
