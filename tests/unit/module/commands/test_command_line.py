"""The command line around the commands: streams that take nothing, words that are misspelt, help, versions, shells."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from command import run, start

from module import __version__
from module.commands import workshop

DEVICE = ("replay", "check", "quarantine")
EVERY = ("run", "simulate", *DEVICE, "init", "models", "build", "push", "inspect", "manifest", "deploy", "completion")
ECHO = "def init(): pass\ndef run(raw_data): return raw_data\n"


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """Give a folder with a script that gives what it gets, and a body that is not ASCII."""
    (tmp_path / "score.py").write_text(ECHO)
    (tmp_path / "in.jsonl").write_text('{"é": "名"}\n')
    return tmp_path


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell in which ``scoring-module`` is ours."""
    line = line.replace("scoring-module", f"{sys.executable} -P -m module.cli")
    return subprocess.run(["bash", "-c", line], cwd=cwd, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_text_has_a_form_in_every_encoding(echo: Path, encoding: str) -> None:
    """What the encoding lacks is escaped."""
    arrow = "→".encode(encoding, "backslashreplace")
    assert arrow in run("run", "--help", cwd=echo, PYTHONIOENCODING=encoding).stdout
    checked = run("check", "--scoring-dir", ".", "--sample", "in.jsonl", cwd=echo, PYTHONIOENCODING=encoding)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert '{"é": "名"}'.encode(encoding, "backslashreplace") in checked.stdout


@pytest.mark.parametrize("line", ["check --scoring-dir . --sample in.jsonl", "run --help", "--help", "--version"])
def test_a_full_disk_is_a_sentence(echo: Path, line: str) -> None:
    """And exit code 1: what was to be read is not there."""
    ended = shell(f"scoring-module {line} >/dev/full", echo)
    assert (ended.returncode, ended.stderr) == (
        1,
        b"scoring-module: cannot write the output: No space left on device\n",
    )


def test_the_code_is_right_even_if_nobody_can_be_told_why(echo: Path) -> None:
    """Standard error may be full, too."""
    for line, code in (("check --scoring-dir absent", 2), ("chek", 2), ("replay --scoring-dir / in.jsonl", 3)):
        assert shell(f"scoring-module {line} 2>/dev/full", echo).returncode == code, line


@pytest.mark.parametrize("line", ["check --scoring-dir . --sample in.jsonl", "run --help", "completion zsh"])
def test_a_reader_that_has_gone_ends_it_quietly(echo: Path, line: str) -> None:
    """With the code of a program that SIGPIPE ended."""
    with start(*line.split(), cwd=echo) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "line", ["check --scoring-dir . --sample in.jsonl", "replay --scoring-dir . in.jsonl", "--help"]
)
def test_a_closed_stream_harms_nothing(echo: Path, line: str, closed: str) -> None:
    """No file that is opened later takes its number and gets what is printed; replay alone has nowhere to write."""
    ended = shell(f"scoring-module {line} {closed}", echo)
    assert ended.returncode == (2 if line.startswith("replay") and ">&-" in closed.replace("2>&-", "") else 0)
    assert b"Traceback" not in ended.stderr
    assert (echo / "in.jsonl").read_text() == '{"é": "名"}\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "argument COMMAND: invalid choice: 'chek', did you mean check? (choose from run, simulate, "),
        (["bild", "."], "'bild', did you mean build?"),
        (["zzz"], "invalid choice: 'zzz' (choose from run, "),
        (["models", "regster"], "argument VERB: invalid choice: 'regster', did you mean register?"),
        (["quarantine", "lst"], "did you mean list? (choose from list, show, export, replay, drop)"),
        (["build", ".", "--image", "x", "--variant", "gpuu"], "'gpuu', did you mean gpu? (choose from cpu, gpu)"),
        (["completion", "bsh"], "'bsh', did you mean bash?"),
        (["check", "--smaple", "x"], "check: error: unrecognized arguments: --smaple x, did you mean --sample?"),
        (["check", "--smaple=x"], "--smaple=x, did you mean --sample?"),
        (["models", "list", "--jsn"], "models list: error: unrecognized arguments: --jsn, did you mean --json?"),
        (["build", ".", "--imgae", "x"], "required: --image; unrecognized: --imgae, did you mean --image?"),
        (["deploy", "--devcie=x"], "is required; unrecognized: --devcie, did you mean --device?"),
        (
            ["build", "--platfrom", "--", "--imgae"],
            "required: --image; unrecognized: --platfrom, did you mean --platform?",
        ),
        (["run", "--port", "1"], "run: error: unrecognized arguments: --port 1\n"),
    ],
)
def test_a_misspelt_word_is_told_the_nearest(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit 2, with the usage of the command that it was said to."""
    ended = run(*arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert said in ended.stderr.decode()
    assert ended.stderr.startswith(b"usage: scoring-module")


@pytest.mark.parametrize(
    "line",
    [
        ["replay", "--scoring-dir", "", "in.jsonl"],
        ["replay", "--scoring-dir", ".", ""],
        ["check", "--sample", " ", "--scoring-dir", "."],
        ["quarantine", "drop", "--journal-dir="],
        ["quarantine", "export", ""],
        ["models", "list", "--store", ""],
        ["simulate", "--telemetry", ""],
    ],
)
def test_an_empty_path_is_not_the_working_directory(echo: Path, line: list[str]) -> None:
    """It is what is left of a variable that is not set."""
    ended = run(*line, cwd=echo)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.decode().splitlines()[-1].endswith(": it is empty: name a file or folder")


def test_the_version_names_what_it_runs_on(tmp_path: Path) -> None:
    """As others do: the program, its version, and what a report of a fault needs."""
    said = run("--version", cwd=tmp_path).stdout.decode()
    python = ".".join(map(str, sys.version_info[:3]))
    assert said == f"scoring-module {__version__} (Python {python}, onnxruntime {version('onnxruntime')})\n"


@pytest.mark.parametrize("columns", [40, 60, 100])
@pytest.mark.parametrize("command", ["", *EVERY])
def test_help_fits_the_terminal(tmp_path: Path, command: str, columns: int) -> None:
    """All but the commands that people paste, which stay whole."""
    said = run(*command.split(), "--help", cwd=tmp_path, COLUMNS=columns).stdout.decode()
    wide = [line for line in said.splitlines() if len(line) > columns and " " in line.strip()]
    assert [line for line in wide if not line.startswith("  ") or "scoring-module " not in line] == []
    assert "exit code" in said


def test_help_says_the_same_at_every_width(tmp_path: Path) -> None:
    """Nothing is lost where a line is broken; a setting has its line where there is room."""
    narrow, wide = (run("run", "--help", cwd=tmp_path, COLUMNS=width).stdout.decode() for width in (40, 200))
    assert narrow.partition("settings,")[2].split() == wide.partition("settings,")[2].split()
    assert re.search(r"^  SCORING_HTTP_PORT +/metrics, .*\(default: 9600\)$", wide, re.MULTILINE)


def test_every_command_is_listed_once(tmp_path: Path) -> None:
    """In the order in which they are needed; those of the workshop are not in an image."""
    said = run("--help", cwd=tmp_path).stdout.decode()
    listed = re.findall(r"^ {4}([a-z]+)(?: +\S|$)", said.partition("commands:")[2], re.MULTILINE)
    assert tuple(listed) == EVERY
    assert set(workshop._COMMANDS) < set(EVERY)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_it_can_read(tmp_path: Path, name: str) -> None:
    """With every command in it; read by the shell itself where it is installed."""
    script = run("completion", name, cwd=tmp_path)
    assert script.returncode == 0
    assert all(each.encode() in script.stdout for each in (*EVERY, "--scoring-dir", "--target-condition", "register"))
    if shutil.which(name):
        (tmp_path / "script").write_bytes(script.stdout)
        assert subprocess.run([name, "-n", tmp_path / "script"], capture_output=True, check=True).stderr == b""


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not there")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ch"], "check"),
        (["check", "--sa"], "--sample"),
        (["models", "re"], "register"),
        (["completion", ""], "bash zsh fish"),
        (["check", "--sample", "in"], "in.jsonl"),
        (["check", "--scoring-dir", "fol"], "folder"),
    ],
)
def test_bash_completes(echo: Path, words: list[str], offered: str) -> None:
    """Commands, options, choices, files and folders."""
    (echo / "folder").mkdir()
    (echo / "follows").touch()
    (echo / "script").write_bytes(run("completion", "bash", cwd=echo).stdout)
    line = f"""
        source ./script
        COMP_WORDS=(scoring-module {" ".join(word or "''" for word in words)}); COMP_CWORD={len(words)}
        $(complete -p scoring-module | sed 's/.*-F \\([^ ]*\\).*/\\1/') scoring-module {words[-1] or "''"}
        echo ${{COMPREPLY[*]}}"""
    ended = subprocess.run(["bash", "-c", line], cwd=echo, env=os.environ, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == offered


def test_debug_may_stand_anywhere(tmp_path: Path) -> None:
    """Before the command, after it, after its verb."""
    for line in (
        ["--debug", "quarantine", "list"],
        ["quarantine", "--debug", "list"],
        ["quarantine", "list", "--debug"],
    ):
        ended = run(*line, cwd=tmp_path, SCORING_JOURNAL_DIR=tmp_path)
        assert ended.stderr.startswith(b"Traceback"), line


@pytest.mark.parametrize("address", ["", " ", "a b", "a..b", "x" * 300, "*", "10.0.0.999", "-x", "a\nb"])
def test_an_address_that_is_none_is_a_sentence(echo: Path, address: str) -> None:
    """Whatever the libraries raise that read it."""
    ended = run("simulate", f"--listen={address}", "--telemetry", "in.jsonl", "--", "false", cwd=echo)
    assert ended.returncode == 2
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith(("scoring-module: --listen ", "scoring-module: port 8883 of "))


def test_a_terminal_without_room_has_its_help(tmp_path: Path) -> None:
    """Some say that they have one column, or none."""
    for columns in (0, 1, 2):
        ended = run("check", "--help", cwd=tmp_path, COLUMNS=columns)
        assert (ended.returncode, ended.stderr) == (0, b"")
