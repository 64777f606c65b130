"""The command line of simulate: what is understood, and one sentence for each mistake."""

import argparse
import sys
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.parser import Parser
from module.simulator import Options, add_arguments, options_from


@pytest.fixture
def telemetry(tmp_path: Path) -> str:
    path = tmp_path / "telemetry.jsonl"
    path.write_text("{}\n")
    return str(path)


def parse(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser.add_subparsers().add_parser("simulate"))
    return options_from(parser.parse_args(["simulate", *arguments]))


def test_defaults_are_those_of_edgehub(telemetry: str) -> None:
    options = parse("--telemetry", telemetry)
    assert (options.listen, options.max_in_flight, options.ack_timeout, options.rate) == ("127.0.0.1", 1, 30.0, 0.0)
    assert options.command == (sys.executable, "-m", "module.cli", "run")


def test_the_command_keeps_its_own_options(telemetry: str) -> None:
    options = parse("--telemetry", telemetry, "--limit", "5", "--", "uv", "run", "--limit", "7", "--", "x")
    assert options.limit == 5
    assert options.command == ("uv", "run", "--limit", "7", "--", "x")


def test_the_help_teaches_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    parser = Parser()
    add_arguments(parser)
    assert "--kill-every 3" in parser.format_help()
    assert "exit code: 0 every message is accounted for" in parser.format_help()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--limit", "0"], "--limit 0 must be at least 1"),
        (["--listen", "127.0.0.1:8884"], "--listen 127.0.0.1:8884 must be an address alone"),
        (["--rate", "-1"], "--rate -1.0 must be at least 0"),
        (["--rate", "nan"], "--rate nan must be"),
        (["--ack-timeout", "0"], "--ack-timeout 0.0 must be"),
        (["--max-in-flight", "0"], "--max-in-flight 0 must be"),
        (["--kill-every", "0"], "--kill-every 0.0 must be more than 0"),
        (["--manifest", "/nowhere.json"], "--manifest /nowhere.json is not a file"),
        (["--upstream", "/nowhere/out.jsonl"], "--upstream /nowhere/out.jsonl cannot be written"),
        (["--summary", "/"], "--summary / cannot be written"),
    ],
)
def test_a_mistake_is_a_sentence(telemetry: str, arguments: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        parse("--telemetry", telemetry, *arguments)


@pytest.mark.parametrize("option", ["--upstream", "--summary"])
def test_what_is_read_is_never_written(telemetry: str, option: str) -> None:
    other_name = Path(telemetry).parent / ".." / Path(telemetry).parent.name / "telemetry.jsonl"
    with pytest.raises(SettingsError, match=f"{option} .* is the file that --telemetry reads"):
        parse("--telemetry", telemetry, option, str(other_name))


def test_a_source_is_needed_and_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse()
    assert caught.value.code == 2
    assert "--telemetry --messages" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="--messages /nowhere is not a file"):
        parse("--messages", "/nowhere")
