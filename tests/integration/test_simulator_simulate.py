"""Whole simulations: a small module on the real SDK is started, fed, killed and counted."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from addresses import free_address
from http_stub import Answer, serving

from module.errors import SettingsError, UnwritableError
from module.simulator import Options, simulate
from module.simulator.edge_hub.hub import EdgeHub

PROGRAM = str(Path(sys.executable).parent / "scoring-module")

MODULE = """
import asyncio, json, os, pathlib, signal, sys, time
from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

way = sys.argv[1]
state = pathlib.Path(os.environ["SCORING_JOURNAL_DIR"]) / "lives"

async def main():
    if way == "starts-slowly": time.sleep(1.5)
    life = len(state.read_text()) + 1 if state.exists() else 1
    state.write_text("x" * life)
    client = IoTHubModuleClient.create_from_edge_environment()
    seen = 0
    async def on_message(message):
        nonlocal seen
        seen += 1
        if way == "loses" and seen % 10 == 0: return
        if way == "halves" and seen % 2: return
        if way == "crashes" and life == 1 and seen == 5: os._exit(4)
        if way == "gives-up" and seen == 5: os._exit(3)
        if way == "leaves" and seen == 5: os._exit(0)
        if way == "hoards" and seen == 10: os._exit(3)
        if way == "hoards": return
        if way == "invents": await client.send_message_to_output(Message(message.data), "amlOutput")
        desired = json.dumps((await client.get_twin())["desired"])
        output = "errors" if way == "fails" else "amlOutput"
        answer = Message(message.data)
        answer.message_id, answer.correlation_id = f"{message.message_id}.{output}.0", message.message_id
        answer.custom_properties = {"input": message.input_name, "desired": desired, **message.custom_properties}
        await client.send_message_to_output(answer, output)
    client.on_message_received = on_message
    await client.connect()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    print("stopped", flush=True)
    os._exit(5 if way == "stops-badly" else 0)

asyncio.run(main())
"""


FILTER = """
from scoring import NOTHING, batched

def init():
    pass

@batched(max_size=8)
def run(requests):
    return [request["n"] if request["n"] % 3 == 0 else NOTHING for request in requests]
"""


FALSE_PAGE = Answer(200, b"scoring_nothing_total 15.0\nscoring_batch_size_sum 64.0\nscoring_batch_size_count 16.0\n")
"""What says that all is well, whoever asks."""


class Simulate:
    """Runs simulations in a folder of its own, and keeps what they wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "module.py").write_text(MODULE)
        self.telemetry(30)

    def filters(self) -> list[str]:
        """Give the command of the module itself, with a script that answers one message of three."""
        (self.folder / "script").mkdir()
        (self.folder / "script" / "score.py").write_text(FILTER)
        self.command = ["env", f"SCORING_DIR={self.folder}/script", PROGRAM, "run"]
        return self.command

    def telemetry(self, count: int) -> None:
        self.lines(*({"n": number} for number in range(count)))

    def lines(self, *lines: object) -> None:
        (self.folder / "telemetry.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def routes(self, route: str) -> None:
        """Write a manifest with this one route."""
        hub = {"properties.desired": {"routes": {"only": route}}}
        (self.folder / "deployment.template.json").write_text(json.dumps({"modulesContent": {"$edgeHub": hub}}))

    async def __call__(self, way: str | list[str], **options: Any) -> int:
        command = [sys.executable, str(self.folder / "module.py"), way] if isinstance(way, str) else way
        if "messages" not in options and "telemetry" not in options:
            options["telemetry"] = self.folder / "telemetry.jsonl"
        files = {"upstream": self.folder / "upstream.jsonl", "summary": self.folder / "summary.json"}
        settings = {"listen": free_address(), "settle": 1.0, **files, **options}
        return await simulate(Options(command=tuple(command), **settings))

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_bytes())
        return found

    @property
    def upstream(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "upstream.jsonl").read_bytes().splitlines()]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulate:
    """Give the function that simulates, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("SCORING_HTTP_PORT", "SCORING_JOURNAL_DIR"):
        monkeypatch.delenv(name, raising=False)
    return Simulate(tmp_path)


async def test_every_message_is_answered(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run("echoes", limit=20) == 0
    assert run.summary["by_output"] == {"amlOutput": 20}
    assert (run.summary["sent"], run.summary["upstream"], run.summary["lost"]) == (20, 20, 0)
    assert run.summary["latency_ms"]["p50"] > 0
    assert run.summary["mean_batch"] is None
    first = run.upstream[0]
    assert (first["module"], first["output"], first["properties"]["input"]) == ("scoring", "amlOutput", "amlInput")
    # The SDK sends from several threads: which message is first up is its own affair.
    assert first["system"]["correlation_id"].partition("-")[2] in map(str, range(1, 21))
    shown = capfd.readouterr().out
    assert "sent        20" in shown
    assert "stopped" in shown


async def test_lost_messages_are_counted_and_exit_with_1(run: Simulate) -> None:
    assert await run("loses") == 1
    assert (run.summary["lost"], run.summary["by_output"]) == (3, {"amlOutput": 27})


async def test_an_errors_output_answers(run: Simulate) -> None:
    assert await run("fails") == 0
    assert run.summary["by_output"] == {"errors": 30}


async def test_a_false_metrics_page_hides_no_loss(run: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: FALSE_PAGE) as port:
        monkeypatch.setenv("SCORING_HTTP_PORT", str(port))
        assert await run("halves") == 1
    assert (run.summary["lost"], run.summary["nothing"], run.summary["mean_batch"]) == (15, 0, None)


async def test_nothing_on_purpose_answers_too(run: Simulate) -> None:
    assert await run(run.filters()) == 0
    assert run.summary["by_output"] == {"amlOutput": 10}
    assert (run.summary["nothing"], run.summary["lost"], run.summary["upstream"]) == (20, 0, 10)
    assert run.summary["mean_batch"] >= 1.0


async def test_nothing_said_right_before_a_kill_is_no_loss(run: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_HTTP_PORT", "0")
    run.telemetry(450)
    assert await run(run.filters(), kill_every=1.0, rate=60.0, settle=10.0) == 0
    assert run.summary["restarts"] > 0
    assert (run.summary["nothing"], run.summary["lost"]) == (300, 0)


async def test_a_crashed_module_is_started_again(run: Simulate) -> None:
    # The SDK acks before it calls: at full speed it may have acked all of them when the fifth call crashes.
    await run("crashes", rate=10.0)
    assert run.summary["restarts"] == 1
    assert run.summary["by_output"]["amlOutput"] + run.summary["lost"] == 30
    assert run.summary["by_output"]["amlOutput"] > 10


async def test_a_module_that_gives_up_ends_the_simulation_with_its_code(run: Simulate) -> None:
    assert await run("gives-up") == 3
    assert run.summary["restarts"] == 0


async def test_a_command_that_ends_at_once_says_why_itself(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run(["sh", "-c", "echo score.py has no run >&2; exit 3"]) == 3
    assert capfd.readouterr() == ("", "score.py has no run\n")


async def test_a_command_killed_before_it_connects_is_not_started_again(run: Simulate) -> None:
    assert await run(["sh", "-c", "kill -9 $$"]) == 137


async def test_a_module_that_is_killed_comes_back_and_the_rest_is_answered(run: Simulate) -> None:
    run.telemetry(200)
    await run("echoes", kill_every=0.8, rate=60.0)
    assert run.summary["restarts"] > 0
    assert run.summary["by_output"]["amlOutput"] > 100


async def test_a_module_that_starts_slowly_is_killed_after_it_has_connected_too(run: Simulate) -> None:
    run.telemetry(120)
    await run("starts-slowly", kill_every=0.3, rate=20.0)
    assert run.summary["connects"] > 1
    assert 0 < run.summary["kills_under_way"] <= run.summary["kills"] == run.summary["restarts"]


async def test_kills_that_meet_no_message_show_nothing(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run("echoes", kill_every=60.0) == 1
    assert (run.summary["kills"], run.summary["lost"]) == (0, 0)
    assert "wrong       no kill met a message: nothing was shown" in capfd.readouterr().out


async def test_a_module_that_leaves_before_all_is_sent_is_no_success(run: Simulate) -> None:
    assert await run("leaves", rate=20.0) == 1
    assert (run.summary["sent"] + run.summary["unsent"], run.summary["restarts"]) == (30, 0)
    assert run.summary["unsent"] > 0
    assert run.summary["lost"] == 0


async def test_what_a_module_took_before_it_ended_is_unanswered_and_not_lost(run: Simulate) -> None:
    assert await run("hoards") == 3
    counts = run.summary
    assert counts["lost"] == 0
    assert counts["unanswered"] > 5
    assert counts["unanswered"] + counts["un_acked"] == counts["sent"] == 30 - counts["unsent"]


async def test_a_command_that_ends_well_without_the_hub_is_no_success(
    run: Simulate, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await run(["sleep", "0.5"]) == 1
    shown = capfd.readouterr().out
    assert "wrong       COMMAND did not connect to the hub" in shown
    assert "wrong       30 messages were not sent" in shown
    assert "no message was routed" not in shown
    assert (run.summary["sent"], run.summary["lost"], run.summary["unanswered"]) == (0, 0, 0)


async def test_outputs_that_answer_no_message_are_said(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run("invents") == 0
    assert (run.summary["by_output"], run.summary["foreign"]) == ({"amlOutput": 60}, 30)
    assert "note        30 outputs belong to no message of this run" in capfd.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_simulation_says_what_it_knows(run: Simulate, number: int, code: int) -> None:
    run.telemetry(1000)
    command = [sys.executable, str(run.folder / "module.py"), "echoes"]
    options = ["--telemetry", str(run.folder / "telemetry.jsonl"), "--rate", "50", "--listen", free_address()]
    simulation = await asyncio.create_subprocess_exec(
        *(PROGRAM, "simulate", *options, "--summary", str(run.folder / "summary.json")),
        *("--upstream", str(run.folder / "upstream.jsonl"), "--", *command),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # a shell's background jobs ignore SIGINT
    )
    async with asyncio.timeout(30):
        while not (run.folder / "upstream.jsonl").exists() or not run.upstream:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        simulation.send_signal(number)
        shown, _ = await simulation.communicate()
    assert simulation.returncode == code
    assert b"\nstopped\nsent " in b"\n" + shown
    counts = run.summary
    assert counts["sent"] > 0
    assert counts["lost"] == 0
    assert counts["unsent"] == 1000 - counts["sent"] > 0


async def test_a_bad_end_at_sigterm_is_said(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run("stops-badly") == 0
    assert "note        COMMAND ended with 5 at SIGTERM" in capfd.readouterr().out


async def test_no_message_for_the_module_is_no_success(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    run.routes("FROM /messages/* WHERE kind = 'x' INTO BrokeredEndpoint('/modules/scoring/inputs/amlInput')")
    assert await run("echoes") == 1
    assert "wrong       no message was routed to the module" in capfd.readouterr().out


async def test_an_empty_file_is_no_success_and_has_a_summary(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    run.lines()
    assert await run("echoes") == 1
    assert capfd.readouterr().out.endswith("wrong       there is no message in the file\n")
    assert run.summary["sent"] == 0


async def test_a_file_that_is_refused_half_way_has_a_summary(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    path = run.folder / "messages.jsonl"
    path.write_text('{"body": {"n": 3}}\nnonsense\n')
    with pytest.raises(SettingsError, match=r"messages.jsonl line 2 is not a message"):
        await run(run.filters(), messages=path, rate=5.0)
    assert run.summary["by_output"] == {"amlOutput": 1}
    assert "sent        1" in capfd.readouterr().out


@pytest.mark.parametrize(("lines", "fail", "code"), [(2, False, 0), (2, True, 1), (0, True, 0), (3, False, 1)])
async def test_errors_are_counted_by_kind_and_can_fail(
    run: Simulate, capfd: pytest.CaptureFixture[str], lines: int, fail: bool, code: int
) -> None:
    """Where nothing but errors came back, none was scored."""
    run.lines(*({"x": number} for number in range(lines)), *({"n": 3 * number} for number in range(3 - lines)))
    assert await run(run.filters(), fail_on_errors=fail) == code
    assert run.summary["errors"] == ({"RunError": lines} if lines else {})
    assert ("wrong       no message was scored: all 3 answers are errors" in capfd.readouterr().out) is (lines == 3)


async def test_the_rate_begins_with_the_connection(run: Simulate) -> None:
    """What would have been sent before it is not sent all at once then."""
    run.telemetry(12)
    assert await run("starts-slowly", rate=10.0) == 0
    assert run.summary["seconds"] > 0.9


async def test_standard_input_and_tables_are_read_too(run: Simulate) -> None:
    (run.folder / "table.csv").write_text("n,name\n3,a\n4,b\n6,c\n")
    assert await run(run.filters(), telemetry=run.folder / "table.csv") == 0
    assert [line["body"] for line in run.upstream] == [3, 6]
    options = ["--telemetry", "-", "--listen", free_address(), "--settle", "1", "--summary", str(run.folder / "s.json")]
    command = [PROGRAM, "simulate", *options, "--", *run.command]
    simulation = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await asyncio.wait_for(simulation.communicate(b'{"n": 3}\n{"n": 4}\n'), 30)
    assert simulation.returncode == 0
    assert b"outputs     amlOutput 1, 1 answered with NOTHING" in shown


@pytest.mark.parametrize("shown", [0, 1])
def test_a_reader_that_goes_away_is_quiet(run: Simulate, shown: int) -> None:
    """As in ``simulate … | head -1``: neither the simulation nor the module has more to say."""
    options = ["--telemetry", str(run.folder / "telemetry.jsonl"), "--listen", free_address(), "--settle", "1"]
    simulation = subprocess.Popen(
        [PROGRAM, "simulate", *options, "--", *run.filters()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with simulation:
        assert simulation.stdout is not None
        assert simulation.stderr is not None
        for _ in range(shown):
            simulation.stdout.readline()
        simulation.stdout.close()
        assert simulation.stderr.read() == b""
    assert simulation.returncode == 141


def test_what_the_command_writes_stands_above_the_bar(run: Simulate) -> None:
    """Each line on its own, whatever is drawn meanwhile."""
    lines = "for i in 1 2 3; do echo word $i; echo other $i >&2; sleep 0.2; done"
    arguments = ["simulate", "--telemetry", str(run.folder / "telemetry.jsonl"), "--listen", free_address()]
    shown = b""

    def read(terminal: int) -> bytes:
        nonlocal shown
        shown += (data := os.read(terminal, 4096))
        return data

    pty.spawn([PROGRAM, *arguments, "--", "sh", "-c", lines], read, lambda _: b"")
    written = [re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|.*\r(?!$)", b"", line).strip() for line in shown.split(b"\n")]
    for word in (b"word", b"other"):
        assert [line for line in written if line.startswith(word)] == [word + b" %d" % i for i in (1, 2, 3)], written


async def test_outputs_that_the_hub_drops_are_said(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    run.routes("FROM /messages/modules/leaf/* INTO BrokeredEndpoint('/modules/scoring/inputs/amlInput')")
    lines = [{"input": "amlInput", "system": {"message_id": f"m{n}"}, "body": n} for n in range(30)]
    run.lines(*lines)
    assert await run("echoes", messages=run.folder / "telemetry.jsonl") == 0
    assert (run.summary["dropped"], run.summary["upstream"]) == (30, 0)
    assert "note        30 outputs were dropped by the hub" in capfd.readouterr().out


async def test_a_full_disk_for_upstream_is_a_sentence(run: Simulate, capfd: pytest.CaptureFixture[str]) -> None:
    """And no count, which would blame COMMAND for what was not sent."""
    with pytest.raises(UnwritableError, match="cannot write /dev/full: No space left"):
        await run("echoes", upstream=Path("/dev/full"))
    assert "wrong" not in capfd.readouterr().out


async def test_a_reader_of_upstream_that_has_gone_ends_it(run: Simulate) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        await run("echoes", upstream=Path(f"/dev/fd/{writing}"))
    os.close(writing)


async def test_too_large_messages_are_refused_and_counted(run: Simulate) -> None:
    run.lines("x" * 262_200, "small")
    assert await run("echoes") == 0
    assert (run.summary["sent"], run.summary["refused"], run.summary["upstream"]) == (1, 1, 1)


async def test_a_manifest_gives_routes_twin_and_module(run: Simulate) -> None:
    routes = {
        "hot": "FROM /messages/* WHERE $body.n >= 28 INTO BrokeredEndpoint('/modules/other-name/inputs/hot')",
        "up": {"route": "FROM /messages/modules/other-name/outputs/amlOutput INTO $upstream", "priority": 1},
    }
    content = {
        "$edgeAgent": {"properties.desired": {"modules": {"other-name": {}}}},
        "$edgeHub": {"properties.desired": {"routes": routes}},
        "other-name": {"properties.desired": {"batch": {"maxSize": 3}}},
    }
    (run.folder / "deployment.template.json").write_text(json.dumps({"modulesContent": content}))
    assert await run("echoes") == 0
    assert (run.summary["sent"], run.summary["unrouted"], run.summary["upstream"]) == (30, 28, 2)
    assert run.upstream[0]["module"] == "other-name"
    assert run.upstream[0]["properties"]["input"] == "hot"
    assert json.loads(run.upstream[0]["properties"]["desired"])["batch"] == {"maxSize": 3}


async def test_whole_messages_go_to_the_input_they_name_or_are_routed(run: Simulate) -> None:
    lines = [
        {"input": "side", "body": {"a": 1}, "properties": {"k": "v"}},
        {"system": {"message_id": "mine"}, "base64": "AAE="},
    ]
    path = run.folder / "messages.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert await run("echoes", messages=path) == 0
    found = {line["properties"]["input"]: line for line in run.upstream}
    assert found["side"]["properties"]["k"] == "v"
    assert found["amlInput"]["system"]["message_id"] == "mine.amlOutput.0"


async def test_a_line_that_is_no_message_is_a_sentence(run: Simulate) -> None:
    path = run.folder / "messages.jsonl"
    path.write_text('{"body": 1}\nnonsense\n')
    with pytest.raises(SettingsError, match=r"messages.jsonl line 2 is not a message"):
        await run("echoes", messages=path)


@pytest.mark.parametrize(
    ("name", "route", "sentence"),
    [
        ("r", 'FROM /messages/* INTO BrokeredEndpoint("/modules/m/inputs/i', "route r is wrong: "),
        ("r", f"FROM /* WHERE 0x{'F' * 256} > 1 INTO $upstream", "route r is wrong: the number at .* is too large"),
        ("a.b", "FROM /* INTO $upstream", r"routes.a.b of module \$edgeHub has a '.'"),
        ("r", f"FROM /* WHERE a = '{'x' * 4096}' INTO $upstream", r"routes.r of module \$edgeHub is longer than 4 KB"),
    ],
)
async def test_a_wrong_route_is_a_sentence(run: Simulate, name: str, route: str, sentence: str) -> None:
    content = {"$edgeHub": {"properties.desired": {"routes": {name: route}}}, "m": {}}
    (run.folder / "wrong.json").write_text(json.dumps({"modulesContent": content}))
    with pytest.raises(SettingsError, match=sentence):
        await run("echoes", manifest=run.folder / "wrong.json", module="m")


async def test_a_taken_port_and_a_missing_program_are_sentences(run: Simulate) -> None:
    address = free_address()
    async with EdgeHub(listen=address):
        with pytest.raises(SettingsError, match=f"port 8883 of {address} is taken"):
            await run("echoes", listen=address)
    with pytest.raises(SettingsError, match="cannot start /nowhere/program: No such file"):
        await run(["/nowhere/program"])


async def test_the_journal_folder_outlives_a_crash_and_not_the_simulation(run: Simulate, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    await run(["sh", "-c", f'echo "$SCORING_JOURNAL_DIR" > {keep}; test -d "$SCORING_JOURNAL_DIR"; exit $?'])
    folder = keep.read_text().strip()
    assert "/journal-" in folder
    assert not os.path.exists(folder)  # noqa: ASYNC240 - one look
