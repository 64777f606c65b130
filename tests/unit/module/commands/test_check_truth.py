"""`scoring-module check` says "good" only of what works on a device: in batches, with its settings, to the end."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import run, start

from module.commands.check import _tried
from module.errors import SettingsError
from module.settings import Settings
from module.trial import passes

BATCHED = """
from scoring import NOTHING, Prediction, RequestError, batched

def init():
    pass

@batched(max_size=32)
def run(requests):
    {body}
"""


def script(folder: Path, body: str) -> Path:
    """Write a batched script with this body of run(); give its folder."""
    (folder / "score.py").write_text(BATCHED.format(body=body))
    return folder


def test_a_bad_message_hides_no_good_one(tried: Any, scripts: Path) -> None:
    """All are scored, however many they are; of those that are refused the first few are named."""
    bodies = [b'{"value": 1}' if number % 30 else b'{"other": 1}' for number in range(300)]
    said = tried(scripts / "classic", *bodies)
    assert (said.messages, said.scored, said.ok) == (300, 290, False)
    assert said.error == "10 of 300 messages are not scored: line 1: run() failed: score.py line 12: KeyError: 'value'"
    assert [line.partition(":")[0] for line in said.refused] == [
        *("line 1", "line 31", "line 61", "line 91", "line 121"),
        "and 5 more",
    ]


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("return [r / len(requests) for r in requests]", r"line 2 gives 0\.14\d* in a batch of 7 and 1\.0 alone: run"),
        ("return [r if len(requests) < 9 else NOTHING for r in requests]", "line 1 gives nothing in a batch of 32"),
        ("return [requests[0]] * len(requests)", "line 2 gives 0 in a batch of 7 and 1 alone"),
        (
            "return [5] if len(requests) == 1 else 5",
            r"run\(\) fails with 7 requests together, .*: run\(\) gave a value",
        ),
        ("return [1 / (len(requests) < 9)] * len(requests)", r"run\(\) fails with 32 requests.*ZeroDivisionError"),
    ],
)
def test_batches_give_what_each_request_gives_alone(tried: Any, tmp_path: Path, body: str, finding: str) -> None:
    """Else they are answered wrongly, or one by one, which nobody would see."""
    said = tried(script(tmp_path, body), b"0", b"1", b"2")
    assert (said.error, said.scored, said.ok) == ("", 3, False)
    (found,) = said.findings
    assert re.search(finding, found), found


def test_messages_that_are_merged_unproved_are_compared_too(tried: Any, tmp_path: Path) -> None:
    """SCORING_MERGE=always trusts; check looks."""
    run_body = "rows = json.loads(data); return [len(rows) for _ in rows]"
    (tmp_path / "score.py").write_text(f"import json\ndef init(): pass\ndef run(data):\n    {run_body}\n")
    bodies = [b"[[1]]", b"[[2]]", b"[[3]]"]
    assert tried(tmp_path, *bodies, merge="off").ok
    (finding,) = tried(tmp_path, *bodies, merge="always").findings
    assert re.match(r"line 1 gives \[\d+\] in a batch of 7 and \[1\] alone: ", finding)


def test_one_sample_is_given_several_times_at_once(tried: Any, tmp_path: Path) -> None:
    """Most folders have one."""
    said = tried(script(tmp_path, "return [sum(requests)] * len(requests)"), b"2")
    assert said.findings == [
        "the sample gives 14 in a batch of 7 and 2 alone: run() has to treat each request by itself"
    ]


@pytest.mark.parametrize(
    "body",
    ["return [r * (1 + 1e-7 * len(requests)) for r in requests]", "return [{'y': [r, None, 'x']} for r in requests]"],
)
def test_the_last_digits_of_a_number_are_no_finding(tried: Any, tmp_path: Path, body: str) -> None:
    """Rows that share a call of a model in float32 are summed in another order."""
    said = tried(script(tmp_path, body), b"1.5")
    assert (said.findings, said.ok, list(said.milliseconds)) == ([], True, [1, 8, 32])


def test_a_script_with_a_state_is_not_blamed_for_its_batches(tried: Any, tmp_path: Path) -> None:
    """What differs from call to call says nothing of batches; it is said, and no more."""
    said = tried(script(tmp_path, "import random; return [random.random() for _ in requests]"), b"1")
    assert (said.findings, said.ok) == ([], True)
    assert "the sample gives another answer each time" in said.notes[0]


def test_what_the_settings_lack_is_said(tried: Any, tmp_path: Path) -> None:
    """Outputs without a route, NaN that leaves as null; nothing of it is an error."""
    body = "return [Prediction({'y': float('nan')}, output='alerts')] * len(requests)"
    said = tried(script(tmp_path, body), b"1", b"2")
    assert said.ok
    assert said.notes == [
        "the answer to lines 1, 2 holds null: NaN, an infinity or None (SCORING_NAN)",
        "the script names the output alerts: the deployment needs a route from it",
    ]
    assert tried(tmp_path, b"1", nan="reject").error.startswith("the sample is not scored: ")
    assert tried(tmp_path, b"1", routes={"other": ["x"]}).error.endswith("has no route: name it in SCORING_ROUTES")


def test_the_settings_are_those_of_the_module(tried: Any, tmp_path: Path) -> None:
    """Batches are as large as SCORING_MAX_BATCH_SIZE allows; an answer that no hub carries is refused."""
    said = tried(script(tmp_path, "return requests"), b"1", max_batch_size=4)
    assert (said.max_size, list(said.milliseconds)) == (4, [1, 4])
    said = tried(script(tmp_path, "return ['x' * 300_000] * len(requests)"), b"1")
    assert "at most 250000 can be sent" in said.error


def test_what_many_answers_have_is_said_once(tried: Any, tmp_path: Path) -> None:
    """The first few lines, and how many more."""
    said = tried(
        script(tmp_path, "return [None if r % 2 else [None] for r in requests]"), *(b"%d" % n for n in range(20))
    )
    assert said.notes == [
        "the answer to lines 1, 3, 5, 7, 9 and 5 more holds null: NaN, an infinity or None (SCORING_NAN)"
    ]


def test_answers_nested_as_deep_as_json_may_be_are_compared(tried: Any, tmp_path: Path) -> None:
    """Deeper than Python itself compares."""
    body = "return ['[' * 900 + ('' if len(requests) > 8 else '1') + ']' * 900] * len(requests)"
    said = tried(script(tmp_path, body), b"1")
    assert (said.error, said.scored, len(said.findings)) == ("", 1, 1)


def test_batches_that_would_take_too_long_are_left_out_and_named(
    tried: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check is to end within the minute."""
    monkeypatch.setattr(passes, "_MOST_BATCH_S", 0.5)
    said = tried(script(tmp_path, "import time; time.sleep(0.05 * len(requests)); return requests"), b"1")
    assert (list(said.milliseconds), said.ok) == ([1, 8], True)
    assert said.notes[1:] == ["batches of 32 and more were not compared: they take too long"]


def test_what_fails_from_outside_is_not_waited_for(tried: Any, tmp_path: Path) -> None:
    """The module would try again; here nobody has the time."""
    said = tried(script(tmp_path, "raise ConnectionError('no network')"), b"1")
    assert "ConnectionError: no network: the module would try it again and again" in said.error


def test_the_script_is_on_the_scoring_thread(tried: Any, tmp_path: Path) -> None:
    """Libraries that belong to the thread that loads them behave as they will."""
    body = "import threading; return [threading.current_thread().name] * len(requests)"
    assert tried(script(tmp_path, body), b"1").answers == ['"scoring"']


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "import os; os._exit(0)",
            r"the process of the script ended in run\(\), with line 1: exit code 0, as of os._exit",
        ),
        ("import ctypes; ctypes.string_at(0)", r"ended in run\(\), with line 1: SIGSEGV: Segmentation fault"),
        ("import time; time.sleep(60)", r"run\(\) did not return within 0.5 s \(SCORING_RUN_TIMEOUT_S\)"),
        ("import re; re.match('(a+)+b', 'a' * 60)", r"run\(\) did not return within 0.5 s .*, with line 1"),
    ],
    ids=["exit", "crash", "hang", "hang-with-the-interpreter-lock"],
)
def test_a_script_that_ends_or_hangs_its_process_is_reported(tmp_path: Path, body: str, said: str) -> None:
    """By the process that waits for it, which nothing in the script can stop."""
    script(tmp_path, body)
    (tmp_path / "one.jsonl").write_text("1\n")
    arguments = ("--scoring-dir", tmp_path, "--sample", "one.jsonl", "--json")
    ended = run("check", *arguments, cwd=tmp_path, SCORING_RUN_TIMEOUT_S=0.5)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["ok"], told["kind"]) == (3, False, "batched")
    assert re.search(said, told["error"]), told["error"]
    assert (b"score.py" in ended.stderr) is ("exit" not in said), "the stack"


def test_an_init_that_hangs_ends_check(tmp_path: Path) -> None:
    """As it ends the module."""
    (tmp_path / "score.py").write_text(
        "import time\ndef init():\n    time.sleep(60)\ndef run(data):\n    return data\n"
    )
    ended = run("check", "--scoring-dir", tmp_path, cwd=tmp_path, SCORING_INIT_TIMEOUT_S=0.5)
    assert ended.returncode == 3
    assert b"init() did not return within 0.5 s (SCORING_INIT_TIMEOUT_S)" in ended.stderr


def test_what_a_script_writes_in_c_is_none_of_the_answer(tmp_path: Path) -> None:
    """Nor what its child processes write."""
    script(tmp_path, "import os; os.write(1, b'C'); os.system('echo child'); return requests")
    (tmp_path / "sample.json").write_text("[1]")
    assert json.loads(run("check", "--json", "--scoring-dir", tmp_path, cwd=tmp_path).stdout)["ok"] is True


def test_samples_of_every_kind(tmp_path: Path) -> None:
    """By the file's name; whole messages come with all that they carry."""
    script(tmp_path, "return [type(r).__name__ for r in requests]")
    (tmp_path / "frame.jpg").write_bytes(b"\xff\xd8\n\xff")
    (tmp_path / "table.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "m.msgpack").write_bytes(b"\x81\xa1x\x01")
    (tmp_path / "messages.jsonl").write_text('{"body": "hello", "system": {"content_type": "text/plain"}}\n')
    for source, name, answer, count in (
        ("--sample", "frame.jpg", '"bytes"', 1),
        ("--sample", "table.csv", '"dict"', 2),
        ("--sample", "m.msgpack", '"dict"', 1),
        ("--messages", "messages.jsonl", '"str"', 1),
    ):
        told = json.loads(run("check", "--json", "--scoring-dir", tmp_path, source, name, cwd=tmp_path).stdout)
        assert (told["answers"], told["scored"], told["ok"]) == ([answer], count, True), told
        assert told["sample_from"] == source


def test_both_ends_of_a_long_answer_are_shown(tried: Any, tmp_path: Path) -> None:
    """What a script adds to the message stands at its end; a sample's own line end is no part of what is shown."""
    body = 'return json.dumps({**json.loads(data), "rul": 112.5})'
    (tmp_path / "score.py").write_text(f"import json\ndef init(): pass\ndef run(data): {body}\n")
    message = json.dumps({f"sensor{number}": number for number in range(60)})
    said = tried(tmp_path, message.encode() + b"\r\n")
    assert said.answers[0].startswith('{"sensor0":')
    assert said.answers[0].endswith('"rul": 112.5}')
    assert len(said.answers[0]) < 450
    assert said.sample.endswith('"sensor59": 59}')
    assert tried(tmp_path, b'{"a": 1}\n').sample == '{"a": 1}'


def test_a_bare_model_is_named_not_the_script_that_nobody_has(models: Path, tmp_path: Path) -> None:
    """``onnx_script.py`` is ours."""
    ended = run("check", "--scoring-dir", models / "two", cwd=tmp_path)
    assert ended.stdout.decode().splitlines()[0] == f"script    {models / 'two'}/model.onnx"
    assert b"onnx_script" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(("mark", "calls"), [("pass", 3), ("pass", 41), ("@batched", 3)])
def test_a_call_that_fails_later_is_a_finding(
    tried: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str, calls: int
) -> None:
    """Each call counts, the measured ones too, and no time is told of such."""
    monkeypatch.setattr(passes, "SECONDS", 5)
    answer = "[1] * len(data)" if mark == "@batched" else "1"
    source = f"from scoring import batched\nn = 0\ndef init(): pass\n{mark}\ndef run(data):\n    global n\n    n += 1\n"
    (tmp_path / "score.py").write_text(f"{source}    1 / (n < {calls})\n    return {answer}\n")
    said = tried(tmp_path, b"1")
    (finding,) = said.findings
    assert finding.startswith(
        f"the sample was scored, and fails when it is scored again (run() was called {calls} times by then): run() fail"
    )
    assert (said.ok, said.milliseconds) == (False, {})


def test_what_was_compared_is_said(tried: Any, tmp_path: Path) -> None:
    """And what one sample cannot show."""
    said = tried(script(tmp_path, "return requests"), b"1")
    assert said.compared == [1, 7, 8, 32]
    assert said.notes == ["one sample: mixing of rows in a batch cannot be seen: give several"]
    said = tried(tmp_path, b"1", b"2")
    assert (said.compared, said.notes) == ([1, 7, 8, 32], [])
    assert tried(tmp_path, b"[[1], [2]]").notes == []
    (tmp_path / "sample.json").write_text("5")
    assert b"compared  1, 7, 8, 32\n" in run("check", "--scoring-dir", tmp_path, cwd=tmp_path).stdout


def test_an_odd_batch_is_compared(tried: Any, tmp_path: Path) -> None:
    """Devices meet all sizes."""
    said = tried(script(tmp_path, "return [len(requests) % 8 == 7] * len(requests)"), b"1")
    assert said.findings[0].startswith("the sample gives true in a batch of 7 and false alone")


@pytest.mark.parametrize("mark", ["pass", "@batched"])
def test_chance_is_said_and_no_batch_is_blamed(tried: Any, tmp_path: Path, mark: str) -> None:
    """Two values, each half of the time: a second look alone sees no difference in one of two cases."""
    value = "random.choice([0, 1])"
    answer = f"[{value} for _ in data]" if mark == "@batched" else value
    (tmp_path / "score.py").write_text(
        f"import random\nfrom scoring import batched\ndef init(): pass\n{mark}\ndef run(data): return {answer}\n"
    )
    said = tried(tmp_path, b"1", b"2")
    assert (said.findings, said.ok, said.compared) == ([], True, [])
    assert "gives another answer each time (state, clock or chance)" in said.notes[0]


def test_what_a_script_prints_is_shown_once(tmp_path: Path) -> None:
    """Not for each of the calls that measure."""
    script(tmp_path, "print('here'); import os; os.write(2, b'there'); return requests")
    (tmp_path / "sample.json").write_text("1")
    ended = run("check", "--scoring-dir", tmp_path, cwd=tmp_path)
    assert (ended.returncode, ended.stderr.count(b"there"), ended.stderr.count(b"here\n")) == (0, 1, 1)


def test_once_is_enough_to_see_that_it_works(tmp_path: Path) -> None:
    """As a build does, which must not take long: every message once, and what was not looked at is said."""
    script(tmp_path, "open('calls', 'a').write('x'); return requests")
    (tmp_path / "sample.jsonl").write_text("1\n2\n")
    ended = run("check", "--scoring-dir", ".", "--sample", "sample.jsonl", "--once", cwd=tmp_path)
    assert (ended.returncode, len((tmp_path / "calls").read_text()) <= 2) == (0, True)
    assert b"answers in batches were not compared (--once)\nscored    2 of 2\nresult    good\n" in ended.stdout


def test_a_script_that_leaves_no_file_to_open_is_named(tmp_path: Path) -> None:
    """It is no error of ours."""
    limit = "import resource\ndef init(): resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))\ndef run(data): return 1\n"
    (tmp_path / "score.py").write_text(limit)
    (tmp_path / "sample.json").write_text("1")
    ended = run("check", "--scoring-dir", tmp_path, cwd=tmp_path)
    assert ended.returncode == 3
    assert b"the script leaves the module no file to open" in ended.stderr


@pytest.mark.parametrize("number", [None, signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_check(tmp_path: Path, number: int | None) -> None:
    """Neither what the script starts, nor, where check is killed, the trial, which holds the interpreter here."""
    hang = "    import re; re.match('(a+)+b', 'a' * 60)\n" if number else ""
    (tmp_path / "score.py").write_text(
        "import os, subprocess\ndef init():\n    own = subprocess.Popen(['sleep', '60']).pid\n"
        f"    open('pids', 'w').write(f'{{os.getpid()}} {{own}}\\n')\ndef run(data):\n{hang}    return 1\n"
    )
    (tmp_path / "sample.json").write_text("1")
    pids = tmp_path / "pids"
    with start("check", "--scoring-dir", ".", cwd=tmp_path) as process:
        until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        if number:
            process.send_signal(number)
        assert process.wait(30) == {None: 0, signal.SIGTERM: 143}.get(number, -signal.SIGKILL)
        trial, own = map(int, pids.read_text().split())
        until(lambda: not is_alive(trial))
        if number == signal.SIGKILL:  # nobody is left to end what it started
            os.kill(own, signal.SIGKILL)
        until(lambda: not is_alive(own))


def test_a_trial_that_ends_is_not_waited_for_by_what_it_forked(tmp_path: Path) -> None:
    """A forked process holds the trial's end of the pipe as long as it lives; it goes when check is done."""
    fork = "import os, time\nif os.fork() == 0:\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
    (tmp_path / "score.py").write_text(f"{fork}os._exit(7)\n")
    done = run("check", "--scoring-dir", ".", cwd=tmp_path)
    assert done.returncode == 3
    assert b"the process of the script ended in init()" in done.stderr
    assert b"exit code 7" in done.stderr
    pid = tmp_path / "pid"
    until(lambda: not pid.exists() or not is_alive(int(pid.read_text() or 0)))


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_a_sample_that_may_not_be_read_is_exit_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence with its path, from the process of the trial too."""
    sample = script(tmp_path, "return requests") / "sample.json"
    sample.write_text("1")
    real = io.open

    def refuse(file: Any, *arguments: Any, **named: Any) -> Any:
        if str(file).endswith("sample.json"):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return real(file, *arguments, **named)

    monkeypatch.setattr(io, "open", refuse)
    with pytest.raises(SettingsError, match=r"^cannot use .*sample.json: Permission denied$"):
        _tried(Settings(dir=tmp_path), None, "line", "", once=False)


@pytest.mark.parametrize("seconds", [0.5, 0.8])
def test_an_interrupt_ends_it_quietly(tmp_path: Path, seconds: float) -> None:
    """Whenever it comes, and to all processes of the terminal."""
    script(tmp_path, "import time; time.sleep(9); return requests")
    (tmp_path / "sample.json").write_text("1")
    module = [sys.executable, "-P", "-m", "module.cli", "check", "--scoring-dir", "."]
    process = subprocess.Popen(module, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_heed)  # noqa: PLW1509
    with process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert (process.wait(20), process.stderr.read()) == (130, b"")


def _heed() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
