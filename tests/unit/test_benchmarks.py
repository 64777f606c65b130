"""The benchmarks' own arithmetic: rounds to rows, rows to verdicts; the models that everything is measured with."""

import asyncio
import os
import time

import numpy as np
import onnxruntime
import orjson
import pytest

from benchmarks import models, processes
from benchmarks.load import closed_loop
from benchmarks.peer_servers import PEERS
from benchmarks.rows import PATH, Row, merged
from benchmarks.targets import targets


def verdicts(*rows: Row) -> dict[str, list[str]]:
    return {target: said for target, *said in targets(rows)}


def test_rounds_become_one_row_with_medians_and_the_best_start():
    rounds = [Row(part="peer", what="a", rate=rate, start_s=rate) for rate in (3.0, 1.0, 9.0)]
    (row,) = merged(rounds)
    assert (row.rate, row.start_s, row.cpu_us) == (3.0, 1.0, None)


def test_a_target_of_the_module_is_met_only_behind_every_hub():
    row = {"part": "module", "what": "module", "load": "32 in flight"}
    target = "module, 32 in flight: at most 120 µs of CPU"
    good, bad = Row(**row, setting="simulator", cpu_us=100.0), Row(**row, setting="mosquitto", cpu_us=121.0)
    assert verdicts(good)[target] == ["100 simulator", "yes"]
    assert verdicts(good, bad)[target] == ["100 simulator, 121 mosquitto", "NO"]


def test_the_best_setting_of_the_best_peer_is_what_counts():
    row = {"load": "32 in flight"}
    ours = Row(part="module", what="module", setting="simulator", rate=300.0, **row)
    slow = Row(part="peer", what="P", setting="batch 32", rate=100.0, **row)
    fast = Row(part="peer", what="P", setting="no batching", rate=200.0, **row)
    target = "msg/s, 32 in flight: twice the best peer's"
    assert verdicts(ours, slow)[target][1] == "yes"
    assert verdicts(ours, slow, fast)[target] == ["1.50 simulator × 200 of P, no batching", "NO"]


def test_a_rate_must_reach_its_target_and_what_is_missing_is_no_success():
    target = "scoring path, MLP, one core: at least 40,000 msg/s"
    path = Row(part=PATH, what=PATH, load="many waiting", rate=39_999.0)
    assert verdicts(path)[target][1] == "NO"
    assert verdicts()[target] == ["not measured", "?"]


async def test_a_closed_loop_keeps_so_many_in_flight_and_ends():
    now, most = set(), 0

    async def exchange(slot: int) -> None:
        nonlocal most
        now.add(slot)
        most = max(most, len(now))
        await asyncio.sleep(0.001)
        now.discard(slot)

    taken, passed = await closed_loop(exchange, 8, 0.05)
    assert most == 8
    assert not now
    assert len(taken) >= 8
    assert passed < 5


@pytest.mark.parametrize("name", ["mlp", "gbr", "cnn"])
def test_a_body_holds_what_the_model_takes(name, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "BUILD", tmp_path)
    session = onnxruntime.InferenceSession(models.path(name), providers=["CPUExecutionProvider"])
    rows, bodies = models.rows(name, 3), models.bodies(name, 3)
    sent = np.array([orjson.loads(body)["x"] for body in bodies], np.float32)
    assert np.array_equal(sent, rows)
    assert session.run(["y"], {"x": rows})[0].shape == (3, 1)
    assert name != "mlp" or 330 < len(bodies[0]) < 360


def test_every_peer_gets_the_same_numbers_and_its_answer_is_read():
    plain = models.bodies("cnn", 1)[0]
    numbers = orjson.loads(plain)["x"]
    for peer in PEERS:
        for batch, _ in peer.settings.values():
            sent = orjson.loads(peer.body(plain, batch))
            found = sent["inputs"][0]["data"] if "inputs" in sent else sent["x"]
            assert found in (numbers, [numbers])
        assert peer.value(b'{"y": 1.5}') == peer.value(b"[1.5]") == peer.value(b'{"outputs": [{"data": [1.5]}]}') == 1.5


def test_cpu_and_memory_of_a_process_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "BUILD", tmp_path)
    cores = os.sched_getaffinity(0)
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 60"
    server = processes.Server(["sh", "-c", busy], "busy")
    try:
        end = time.monotonic() + 20
        while not server.cpu() and time.monotonic() < end:
            time.sleep(0.05)
        assert server.cpu() > 0
        assert 0 < server.pss() < 100
    finally:
        asyncio.run(server.stop())
        os.sched_setaffinity(0, cores)
    assert not server.runs
