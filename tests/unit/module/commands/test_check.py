"""`scoring-module check`: what it finds out, for people and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import run
from script_cases import BROKEN

FIELDS = {
    *("ok", "directory", "script", "kind", "is_async", "max_size", "replaced", "model_dir", "models", "described"),
    *("sample_from", "sample", "answers", "messages", "scored", "refused", "milliseconds", "compared", "merged", "why"),
    *("findings", "notes", "error"),
}


def test_a_good_script_for_people(scripts: Path, tmp_path: Path) -> None:
    """A word at the left, what there is to say beside it; exit 0."""
    (tmp_path / "sample.jsonl").write_text('{"data": [[1, 2]]}\n{"data": [[3, 4]]}\n')
    ended = run("check", "--scoring-dir", scripts / "model_dir_one", "--sample", "sample.jsonl", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    lines = {line[:9].strip(): line[10:] for line in ended.stdout.decode().splitlines()}
    assert lines["kind"] == "classic: run() gets a body as text"
    assert lines["folder"].endswith("/model_dir_one/azureml-models/rul/3")
    assert lines["sample"] == '{"data": [[1, 2]]}  (from --sample)'
    assert (lines["answer"], lines["result"]) == ("[5]", "good")
    assert "1 request" in lines["time"]
    assert lines["merged"].startswith("no: to be tried on live messages")


def test_the_json_has_one_form(scripts: Path, tmp_path: Path) -> None:
    """Good or broken, whatever the script prints."""
    for folder, code in (("schema_numpy", 0), ("workspace_is_imported", 2), ("syntax_error", 3), ("init_raises", 3)):
        ended = run("check", "--json", "--scoring-dir", scripts / folder, cwd=tmp_path)
        said = json.loads(ended.stdout)
        assert said.keys() == FIELDS
        assert (ended.returncode, said["ok"]) == (code, code == 0), said
        assert bool(said["error"]) is (code == 3)


def test_a_bare_model_is_tried_with_zeros(models: Path, tmp_path: Path) -> None:
    """And says what it takes and gives, on which provider."""
    ended = run("check", "--json", "--scoring-dir", models / "two", cwd=tmp_path)
    said = json.loads(ended.stdout)
    assert (said["kind"], said["sample_from"], said["models"][0]["provider"]) == (
        "onnx",
        "zeros",
        "CPUExecutionProvider",
    )
    assert json.loads(said["answers"][0]) == {"sum": 0.0, "pair": [0.0, 0.0]}
    assert list(said["milliseconds"]) == ["1", "8", "32", "64"]
    assert any(line.startswith("input a: ") for line in said["described"])


def test_a_script_that_scored_nothing_is_not_called_good(scripts: Path, tmp_path: Path) -> None:
    """Loading is no proof: exit 2, as an argument is missing."""
    ended = run("check", "--scoring-dir", scripts / "classic", cwd=tmp_path)
    assert (ended.returncode, ended.stdout.decode().splitlines()[-1].split()) == (2, ["result", "not", "known"])
    said = json.loads(run("check", "--json", "--scoring-dir", scripts / "classic", cwd=tmp_path).stdout)
    assert said["ok"] is False


@pytest.mark.parametrize("folder", BROKEN)
def test_every_broken_script_is_found_out(tried: Any, scripts: Path, folder: str) -> None:
    """With one sentence; whatever is known by then is told."""
    said = tried(scripts / folder)
    assert said.error
    assert len(said.error.splitlines()) == 1


def test_samples_are_looked_for_in_this_order(tried: Any, scripts: Path, tmp_path: Path) -> None:
    """What is given, sample.json, the schema's; without any of them nothing is scored, and that is said."""
    source = (scripts / "schema_numpy" / "score.py").read_text()
    (tmp_path / "score.py").write_text(source)
    assert tried(tmp_path).sample_from == "the input schema"
    (tmp_path / "sample.json").write_text('{"data": [[1, 2, 3]]}\n')
    assert tried(tmp_path).sample_from == "sample.json"
    assert tried(tmp_path, b'{"data": [[4, 5, 6]]}').answers == ['{"sum":[15.0],"nan":0,"type":"float64"}']
    none = tried(scripts / "classic")
    assert (none.error, none.answers, none.milliseconds) == ("", [], {})
    assert "nothing was scored" in none.notes[0]


def test_a_sample_that_fails_is_named_with_the_users_line(tried: Any, scripts: Path) -> None:
    """A script whose sample fails is broken."""
    assert tried(scripts / "classic", b'{"other": 1}').error == (
        "the sample is not scored: run() failed: score.py line 12: KeyError: 'value'"
    )
    said = tried(scripts / "classic", b'{"value": 1}', b"x")
    assert said.error.startswith(
        "1 of 2 messages are not scored: line 2: run() failed: score.py line 12: JSONDecodeErr"
    )
    assert 'json.loads(raw_data)["value"]' in said.user_traceback


def test_a_swallowed_exception_is_noticed(tried: Any, scripts: Path) -> None:
    """It answers nonsense, which nobody may call good."""
    said = tried(scripts / "swallows_text", b"{")
    assert "looks like an exception" in said.findings[0]
    assert not said.ok


@pytest.mark.parametrize(
    ("folder", "sample", "merged"),
    [
        ("batched", [b"1"], True),
        ("rawhttp_server", [b"x"], False),
        ("model_dir_one", [b'{"data": [[%d, 2]]}' % n for n in range(8)], True),
        ("state_across_calls", [b'{"data": [[%d, 2]]}' % n for n in range(8)], False),
    ],
)
def test_merging_is_tried_on_the_samples(
    tried: Any, scripts: Path, folder: str, sample: list[bytes], merged: bool
) -> None:
    """Yes or no, and why."""
    said = tried(scripts / folder, *sample)
    assert (said.error, said.merged) == ("", merged)
    assert said.why


def test_a_sample_that_is_not_there_is_exit_2(scripts: Path, tmp_path: Path) -> None:
    """As every file that is named."""
    (tmp_path / "empty.jsonl").touch()
    for name, said in (("absent.jsonl", b"cannot read absent.jsonl"), ("empty.jsonl", b"there is no body in empty")):
        ended = run("check", "--scoring-dir", scripts / "classic", "--sample", name, cwd=tmp_path)
        assert ended.returncode == 2
        assert said in ended.stderr
