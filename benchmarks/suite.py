"""What is measured, in which order: floors and scoring path, then every server in turn, round after round."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

import msgspec
import onnxruntime
from mosquitto import HOW_TO_GET_IT, found

from . import models
from .load import QUEUED, Subject, life, measured
from .module_servers import (
    SCRIPTS,
    ack_after_scoring,
    behind_mosquitto,
    behind_simulator,
    http_server_alone,
    mqtt_client_alone,
)
from .peer_servers import PEERS, Peer, installed, peer
from .processes import LOAD_CORE, REPOSITORY, SERVER_CORE
from .rows import Row, merged

_MANY = 100
_HUBS = {"simulator": behind_simulator, "mosquitto": behind_mosquitto}
_LOADS = {"1 in flight": 1, "32 in flight": 32}
_ONE_UN_ACKED = {"512 waiting, one un-acked": QUEUED}


class Plan(NamedTuple):
    """How long and how often.

    Attributes:
        rounds: how often every server is started and measured, in turn; figures are medians.
        seconds: of load for each figure.
        quiet: seconds for which idling, and 20 messages a second, are watched.
        in_process: models that are measured without a server.
        others: models besides mlp that servers are measured with.
    """

    rounds: int
    seconds: float
    quiet: float
    in_process: Sequence[str]
    others: Sequence[str]


class _Case(NamedTuple):
    """A server to be started, and the loads that it gets: name → messages in flight."""

    row: Row
    opening: Callable[[], AbstractAsyncContextManager[Subject]]
    loads: Mapping[str, int] = _LOADS


class Suite:
    """One run."""

    def __init__(self, plan: Plan) -> None:
        """Take how long and how often."""
        self._plan, self._began = plan, time.monotonic()
        self._rows: list[Row] = []

    async def all(self) -> list[Row]:
        """Measure everything; what cannot be measured is a row with a note."""
        plan = self._plan
        for name in plan.in_process:
            self._say(f"{name}: ONNX Runtime alone and scoring path")
            self._rows += self._in_process(name)
        self._say("environments of the peers")
        peers = [each for each in PEERS if self._can(Row(part="peer", what=each.name), installed(each))]
        missing = "" if found() else HOW_TO_GET_IT
        hubs = [hub for hub in _HUBS if hub == "simulator" or self._can(Row(part="module", what=hub), missing)]
        for number in range(plan.rounds):
            for case in [*self._floors(hubs), *self._servers("mlp", hubs, peers), *self._one_un_acked(hubs)]:
                await self._measure(case, f"round {number + 1} of {plan.rounds}", 0.0 if number else plan.quiet)
        for model in plan.others:
            for case in self._servers(model, hubs, peers):
                await self._measure(case._replace(loads={"32 in flight": 32}), "other models", 0.0)
        return merged(self._rows)

    def _floors(self, hubs: Sequence[str]) -> Iterator[_Case]:
        yield _Case(Row(part="floor", what="HTTP server that does nothing"), http_server_alone)
        if "mosquitto" in hubs:
            yield _Case(Row(part="floor", what="MQTT client alone"), mqtt_client_alone)

    def _servers(self, model: str, hubs: Sequence[str], peers: Sequence[Peer]) -> Iterator[_Case]:
        session = onnxruntime.InferenceSession(models.path(model), providers=["CPUExecutionProvider"])
        right = float(session.run(None, {"x": models.rows(model, 1)})[0].item())
        for hub in hubs:
            row = Row(part="module", what="module", setting=hub, model=model)
            yield _Case(row, partial(_HUBS[hub], model, _MANY, right), {**_LOADS, "512 waiting": QUEUED})
        for each in peers:
            for setting in each.settings:
                row = Row(part="peer", what=each.name, setting=setting, model=model)
                yield _Case(row, partial(peer, each, setting, model, right))

    def _one_un_acked(self, hubs: Sequence[str]) -> Iterator[_Case]:
        for hub in hubs:
            for script in SCRIPTS:
                row = Row(part="module", what="module", setting=hub, model=script)
                yield _Case(row, partial(_HUBS[hub], script, 1, None), _ONE_UN_ACKED)
        row = Row(part="floor", what="SDK, acked after scoring", setting="simulator", model="10 ms")
        yield _Case(row, ack_after_scoring, _ONE_UN_ACKED)

    async def _measure(self, case: _Case, when: str, quiet: float) -> None:
        self._say(f"{when}: {case.row.what} {case.row.setting} {case.row.model}")
        copy = partial(msgspec.structs.replace, case.row)
        try:
            async with case.opening() as subject:
                for name, in_flight in case.loads.items():
                    self._rows.append(await measured(subject, in_flight, self._plan.seconds, copy(load=name)))
                if case.row.model == "mlp" and subject.starts:
                    self._rows.append(await life(subject, quiet, copy(load="life")))
        except (OSError, ValueError, TimeoutError) as error:
            self._can(case.row, f"{type(error).__name__}: {error}"[:200])

    def _in_process(self, model: str) -> list[Row]:
        arguments = [model, str(self._plan.seconds / 5), str(models.path(model))]
        command = [sys.executable, "-m", "benchmarks.in_process", *arguments]
        os.sched_setaffinity(0, {SERVER_CORE})  # a child inherits it
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
        os.sched_setaffinity(0, {LOAD_CORE})
        return msgspec.json.decode(done.stdout, type=list[Row])

    def _can(self, row: Row, why_not: str) -> bool:
        if why_not:
            self._say(f"{row.what} {row.setting}: {why_not}")
            self._rows.append(msgspec.structs.replace(row, note=why_not))
        return not why_not

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {text}", file=sys.stderr, flush=True)
