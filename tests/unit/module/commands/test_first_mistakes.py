"""The first mistakes that people make: each ends with its exit code and one sentence that says what to change."""

import json
import os
import re
import socket
import threading
from pathlib import Path

import pytest
from command import IOTEDGE, run, start

import module
import scoring

BROKEN = [
    ("no_run", "score.py has no function run()"),
    ("does_not_import", "the scoring script does not import: score.py line 4: KeyError: 'highest'"),
    ("syntax_error", "the scoring script does not import: score.py line 5: SyntaxError"),
    ("init_raises", "init() of the scoring script failed: score.py line 6: FileNotFoundError: no weights"),
    ("init_wants_a_model", "there is no model at absent.onnx"),
    ("shadows_scoring", "shadows_scoring/scoring/__init__.py: the runtime's own package is called scoring"),
]
SLOW = "import time\ndef init():\n    pass\ndef run(data):\n    time.sleep(0.01)\n    return 'x' * 2000\n"


def sentence(stderr: bytes) -> str:
    """Give the one sentence; above it only the user's own traceback may stand, with no frame of ours."""
    *above, last = stderr.decode().splitlines()
    assert last.startswith("scoring-module: ")
    assert not above or above[0].startswith(("Traceback (most recent call last):", '  File "'))
    frames = "\n".join(re.findall(r'^ *File "(.*)", line', "\n".join(above), re.MULTILINE))
    for package in (module, scoring):
        assert str(Path(package.__file__ or "").parent) + "/" not in frames
    return last.removeprefix("scoring-module: ")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Give a file of one message."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "in.jsonl").write_text('{"value": 1}\n')
    return folder / "in.jsonl"


@pytest.mark.parametrize(("folder", "said"), BROKEN, ids=[folder for folder, _ in BROKEN])
def test_a_script_or_model_that_cannot_serve_is_exit_3(scripts: Path, lines: Path, folder: str, said: str) -> None:
    """With the user's line where there is one, and the traceback of their files only."""
    ended = run("replay", "--scoring-dir", scripts / folder, lines, cwd=lines.parent)
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert said in sentence(ended.stderr)


def test_the_module_itself_says_so_too(scripts: Path, tmp_path: Path) -> None:
    """What edgeAgent starts is no less clear than replay."""
    settings = {"SCORING_HTTP_PORT": 0, "SCORING_JOURNAL_DIR": tmp_path / "journal"}
    ended = run("run", cwd=tmp_path, **IOTEDGE, **settings, SCORING_DIR=scripts / "init_raises")
    assert ended.returncode == 3
    assert "score.py line 6: FileNotFoundError" in sentence(ended.stderr)


def test_a_folder_without_script_and_model_is_exit_3(lines: Path) -> None:
    """The sentence names both."""
    (lines.parent / "empty").mkdir()
    ended = run("replay", "--scoring-dir", "empty", lines, cwd=lines.parent)
    assert ended.returncode == 3
    assert sentence(ended.stderr).startswith("there is no score.py, no model.onnx and no MLmodel in ")


def test_a_directory_that_is_not_there_is_exit_2(lines: Path) -> None:
    """By argument or by variable."""
    ended = run("replay", "--scoring-dir", "absent", lines, cwd=lines.parent)
    assert ended.returncode == 2
    assert sentence(ended.stderr).startswith("--scoring-dir 'absent' is no directory")
    ended = run("run", cwd=lines.parent, **IOTEDGE, SCORING_DIR="/absent")
    assert ended.returncode == 2
    assert sentence(ended.stderr).startswith("SCORING_DIR is '/absent', which is no directory")


def test_a_setting_that_does_not_fit_is_exit_2(scripts: Path, tmp_path: Path) -> None:
    """The sentence names the variable and its value."""
    ended = run("run", cwd=tmp_path, **IOTEDGE, SCORING_DIR=scripts / "classic", SCORING_MAX_BATCH_SIZE="many")
    assert ended.returncode == 2
    assert sentence(ended.stderr).startswith("SCORING_MAX_BATCH_SIZE is 'many': ")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("scroe.py", "SCORING_SCRIPT is 'scroe.py', and there is no such file in .*, did you mean score.py\\?"),
        ("a\n", r"SCORING_SCRIPT is 'a\\n', and there is no such file in .*/in$"),
        ("x" * 5000, "SCORING_SCRIPT is 'x{200}', and there is no such file in .*/in$"),
    ],
)
def test_a_script_that_is_not_there_is_named_by_its_variable(lines: Path, script: str, said: str) -> None:
    """With the nearest file that is there."""
    (lines.parent / "score.py").write_text(SLOW)
    ended = run("replay", "--scoring-dir", ".", lines, cwd=lines.parent, SCORING_SCRIPT=script)
    assert ended.returncode == 3
    assert re.match(said, sentence(ended.stderr))


@pytest.mark.parametrize("command", [["replay", "in.jsonl"], ["check", "--sample", "in.jsonl"]])
def test_a_misspelt_setting_is_said_by_every_command_that_reads_them(lines: Path, command: list[str]) -> None:
    """It stops nothing; what is printed stays what it was."""
    (lines.parent / "score.py").write_text(SLOW)
    ended = run(*command, "--scoring-dir", ".", cwd=lines.parent, SCORING_BATCH_SIZE="3")
    assert ended.returncode == 0
    said = b"scoring-module: SCORING_BATCH_SIZE is no setting, did you mean SCORING_MAX_BATCH_SIZE?"
    assert said in ended.stderr.splitlines()
    assert b"SCORING_BATCH_SIZE" not in ended.stdout


def test_a_misspelt_setting_is_said_before_the_one_that_it_should_have_been(tmp_path: Path) -> None:
    """What is missing may be what was misspelt."""
    ended = run("run", cwd=tmp_path, **IOTEDGE, SCORING_DIRR=tmp_path)
    assert ended.returncode == 2
    assert [line.partition(": ")[2].partition(",")[0] for line in ended.stderr.decode().splitlines()] == [
        "SCORING_DIRR is no setting",
        "SCORING_DIR is '/var/azureml-app'",
    ]


@pytest.mark.parametrize("folder", ["ünï", b"\xff"])
def test_a_text_that_cannot_be_read_says_whose_fault_it_is(tmp_path: Path, folder: str | bytes) -> None:
    """The locale's, if the bytes are UTF-8."""
    place = os.fsencode(tmp_path) + b"/" + os.fsencode(folder)
    os.mkdir(place)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run("check", cwd=tmp_path, SCORING_DIR=os.fsdecode(place), **plain)
    assert ended.returncode == 2
    said = "it holds bytes that are no UTF-8" if folder == b"\xff" else "this locale cannot read it: set LC_ALL=C.UTF-8"
    assert sentence(ended.stderr).endswith(said)


def test_outside_iot_edge_is_exit_2(scripts: Path, tmp_path: Path) -> None:
    """The missing variables by name, and what to do on a laptop."""
    some = {name: text for name, text in IOTEDGE.items() if name != "IOTEDGE_WORKLOADURI"}
    ended = run("run", cwd=tmp_path, **some, SCORING_DIR=scripts / "classic")
    assert ended.returncode == 2
    assert re.match("IOTEDGE_WORKLOADURI not set: .* scoring-module simulate", sentence(ended.stderr))


def test_a_taken_port_is_exit_2(scripts: Path, tmp_path: Path) -> None:
    """The sentence names the setting."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("run", cwd=tmp_path, **IOTEDGE, SCORING_DIR=scripts / "classic", SCORING_HTTP_PORT=port)
    assert ended.returncode == 2
    assert sentence(ended.stderr).startswith(f"port {port} is taken: set SCORING_HTTP_PORT")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.jsonl"], "cannot read .*absent.jsonl: No such file or directory"),
        (["."], "cannot read .*: Is a directory"),
        (["in.jsonl", "-o", "../in/in.jsonl"], "../in/in.jsonl is the file that is read"),
        (["in.jsonl", "-o", "absent/out.jsonl"], "cannot write absent/out.jsonl: No such file or directory"),
        (["--messages", "bad.jsonl"], ".*bad.jsonl line 1 is not a message: "),
        (["broken.jsonl.gz"], "cannot read .*broken.jsonl.gz: "),
    ],
)
def test_files_that_cannot_be_read_or_written_are_exit_2(
    scripts: Path, lines: Path, arguments: list[str], said: str
) -> None:
    """By name; a file of messages also by line."""
    (lines.parent / "bad.jsonl").write_text("[]\n")
    (lines.parent / "broken.jsonl.gz").write_text("no gzip at all\n")
    ended = run("replay", "--scoring-dir", scripts / "classic", *arguments, cwd=lines.parent)
    assert ended.returncode == 2
    assert re.match(said, sentence(ended.stderr.splitlines(keepends=True)[-1]))
    assert lines.read_text() == '{"value": 1}\n'


def test_what_a_script_prints_is_no_line_of_replays(lines: Path) -> None:
    """A program that reads the answers must be able to."""
    (lines.parent / "score.py").write_text("def init():\n    print('loaded')\ndef run(data):\n    print(data)\n")
    ended = run("replay", "--scoring-dir", ".", lines, cwd=lines.parent)
    assert [json.loads(line)["output"] for line in ended.stdout.splitlines()] == ["amlOutput"]
    assert b"loaded" in ended.stderr


def test_replay_reads_a_pipe_from_its_only_beginning(lines: Path) -> None:
    """Opened twice, a named pipe would lose its writer in between and wait for ever."""
    os.mkfifo(lines.parent / "pipe")
    writer = threading.Thread(target=(lines.parent / "pipe").write_bytes, args=(lines.read_bytes(),), daemon=True)
    writer.start()
    (lines.parent / "score.py").write_text(SLOW)
    ended = run("replay", "--scoring-dir", ".", "pipe", cwd=lines.parent)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 1), ended.stderr


def test_a_reader_that_goes_away_is_no_failure_to_speak_of(lines: Path) -> None:
    """As in ``replay … | head -1``: quiet, with the code of a program that SIGPIPE ended."""
    (lines.parent / "score.py").write_text(SLOW)
    lines.write_text('{"value": 1}\n' * 200)
    with start("replay", "--scoring-dir", ".", lines, cwd=lines.parent) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize("command", [["replay", "in.jsonl"], ["check", "--sample", "in.jsonl"]])
def test_a_command_that_is_terminated_did_not_succeed(lines: Path, command: list[str]) -> None:
    """Nor is it the script's fault."""
    (lines.parent / "score.py").write_text(
        "import time\ndef init():\n    print('in', flush=True)\n    time.sleep(50)\n"
    )
    with (lines.parent / "score.py").open("a") as script:
        script.write("def run(data):\n    return data\n")
    with start(*command, "--scoring-dir", ".", cwd=lines.parent) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"in\n"
        process.terminate()
        assert process.wait(20) == 143
        assert b"score.py" not in process.stderr.read()


@pytest.mark.parametrize("arguments", [[], ["score"], ["replay"], ["run", "--port", "1"]])
def test_wrong_arguments_are_exit_2(tmp_path: Path, arguments: list[str]) -> None:
    """With the usage, as everywhere."""
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"usage: scoring-module")


def test_help_names_every_setting_and_the_exit_codes(tmp_path: Path) -> None:
    """Nobody should need the source for them."""
    ended = run("run", "--help", cwd=tmp_path)
    assert ended.returncode == 0
    assert all(said in ended.stdout for said in (b"SCORING_DIR", b"SCORING_HTTP_PORT", b"exit codes: 0 done"))


def test_debug_shows_the_traceback_of_an_error_of_ours(lines: Path) -> None:
    """For whoever mends the runtime, and only when asked."""
    ended = run("replay", "--debug", "--scoring-dir", "absent", lines, cwd=lines.parent)
    assert ended.returncode == 1
    assert b"in _replay" in ended.stderr
