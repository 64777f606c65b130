"""`scoring-module replay`: what it says in the end, and what its exit code stands for."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import run, start

from module.commands.replay import _score
from module.offline import Tally
from module.settings import Settings
from module.transports.message_files import read_telemetry

SCRIPT = """
import json
from scoring import NOTHING, Prediction, RequestError, batched

def init():
    pass

@batched
def run(requests):
    return [answer(each) for each in requests]

def answer(request):
    x = request["x"]
    if x == "bad":
        raise RequestError("x is bad")
    return NOTHING if x == 0 else Prediction(x, output="high") if x > 5 else x
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a script and some messages."""
    (tmp_path / "score.py").write_text(SCRIPT)
    (tmp_path / "good.jsonl").write_text('{"x": 1}\n{"x": 9}\n{"x": 0}\n')
    (tmp_path / "mixed.jsonl").write_text('{"x": 1}\n{"x": "bad"}\n{"y": 1}\n{"x": 9}\n')
    (tmp_path / "bad.jsonl").write_text('{"x": "bad"}\n')
    (tmp_path / "nothing.jsonl").write_text('{"x": 0}\n')
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "table.csv").write_text("x,y\n1,2\n9,\n")
    return tmp_path


def replay(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return run("replay", "--scoring-dir", ".", *arguments, cwd=folder, SCORING_LOG_LEVEL="error", **environment)


@pytest.mark.parametrize(
    ("arguments", "code", "begin", "end"),
    [
        (["good.jsonl"], 0, "3 of 3 messages scored in ", " a second: amlOutput 1, high 1, NOTHING 1"),
        (["mixed.jsonl"], 0, "2 of 4 messages", ": errors 2, amlOutput 1, high 1 (RequestError 1, RunError 1)"),
        (["mixed.jsonl", "--fail-on-errors"], 1, "2 of 4 messages", "(RequestError 1, RunError 1)"),
        (["good.jsonl", "--fail-on-errors"], 0, "3 of 3 messages", "NOTHING 1"),
        (["bad.jsonl"], 1, "0 of 1 messages", ": errors 1 (RequestError 1)"),
        (["nothing.jsonl"], 0, "1 of 1 messages", ": NOTHING 1"),
        (["empty.jsonl"], 1, "0 of 0 messages", ": nothing left"),
        (["table.csv"], 0, "2 of 2 messages", ": amlOutput 1, high 1"),
    ],
)
def test_the_last_line_counts_and_the_exit_code_says_whether_it_worked(
    folder: Path, arguments: list[str], code: int, begin: str, end: str
) -> None:
    """By output and by the kind of error; a run that scored nothing is no success."""
    ended = replay(folder, *arguments)
    last = ended.stderr.decode().splitlines()[-1]
    assert (ended.returncode, last.startswith(begin), last.endswith(end)) == (code, True, True), last


def test_a_file_that_cannot_be_read_to_its_end_still_has_its_counts(folder: Path) -> None:
    """What was scored before has left."""
    (folder / "m.jsonl").write_text('{"body": {"x": 1}}\nnonsense\n')
    ended = replay(folder, "--messages", "m.jsonl")
    *_, counts, sentence = ended.stderr.decode().splitlines()
    assert ended.returncode == 2
    assert "messages scored in" in counts
    assert sentence.startswith("scoring-module: m.jsonl line 2 is not a message: ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_standard_input_is_scored_as_it_comes_and_an_interrupt_says_the_counts(
    folder: Path, number: int, code: int
) -> None:
    """The answer does not wait for the next message, nor the end for a reader."""
    with start("replay", "--scoring-dir", ".", "-", cwd=folder, SCORING_LOG_LEVEL="error") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'{"x": 1}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["body"] == 1
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr.read().decode().splitlines()[-1].startswith("1 of 1 messages scored in ")


async def test_a_long_run_says_how_far_it_is(
    folder: Path, process: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In lines, which a log can keep as well."""
    process.setattr("module.commands.replay._SAY_EVERY", 0.02)
    (folder / "score.py").write_text(
        "import time\ndef init(): pass\ndef run(data):\n    time.sleep(0.05)\n    return data\n"
    )
    messages = read_telemetry(folder / "mixed.jsonl", "replay")
    await _score(Settings(dir=folder), messages, io.BytesIO(), Tally(), wait=False)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) > 2
    assert shown[-1].startswith(("1 of 1", "2 of 2", "3 of 3"))


@pytest.mark.parametrize(("output", "code"), [("/dev/full", 1), ("absent/x.jsonl", 2)])
def test_what_cannot_be_written_is_not_counted(folder: Path, output: str, code: int) -> None:
    """One sentence, and no line that says how much was."""
    ended = replay(folder, "good.jsonl", "-o", output)
    (said,) = ended.stderr.decode().splitlines()
    assert (ended.returncode, said.startswith(f"scoring-module: cannot write {output}: ")) == (code, True)


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("good.jsonl >&-", "standard output is closed: name a file with --output"),
        ("- <&-", "cannot read standard input: it is closed"),
    ],
)
def test_a_closed_end_is_said(folder: Path, shell: str, said: str) -> None:
    """Nothing would leave, or come."""
    command = f"exec {sys.executable} -P -m module.cli replay --scoring-dir . {shell}"
    ended = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.decode().splitlines()) == (2, [f"scoring-module: {said}"])


def test_what_a_script_forks_ends_by_itself_and_with_replay(tmp_path: Path) -> None:
    """Its end by SIGTERM is not replay's, and nothing holds on to what replay wrote to."""
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n' * 40)
    scripts = Path(__file__).parents[3] / "integration" / "delivery_scripts"
    ended = run("replay", "--scoring-dir", scripts / "forks", "in.jsonl", cwd=tmp_path)
    assert (ended.returncode, ended.stdout.count(b'"body":{"n":1}')) == (0, 40)
