"""Environment → Settings."""

import io
import json
import re
from pathlib import Path

import pytest

from module.commands import replay
from module.errors import SettingsError
from module.offline import Tally
from module.settings import Settings, describe, read, unknown
from scoring.options import Options

OPTIONS = ("body", *Options.__struct_fields__)


def test_defaults(tmp_path: Path) -> None:
    """With nothing but a directory: amlOutput, errors, take what waits, port 9600, edgeAgent's log form."""
    settings = read({"SCORING_DIR": str(tmp_path)})
    assert settings == Settings(dir=tmp_path)
    assert (settings.script, settings.routes) == ("score.py", {"*": ["amlOutput"]})
    assert (settings.errors_output, settings.rows, settings.max_delay_ms) == ("errors", "auto", 0)
    assert (settings.max_unconfirmed, settings.stop_timeout_s, settings.http_port) == (64, 8, 9600)
    assert (settings.log_level, settings.log_format) == ("info", "edge")


def test_every_setting_comes_from_its_variable(tmp_path: Path) -> None:
    """SCORING_ and the name in capitals; routes are JSON."""
    settings = read(
        {
            "SCORING_DIR": str(tmp_path),
            "SCORING_SCRIPT": "main.py",
            "SCORING_ROUTES": '{"in": ["a", "b"], "*": ["c"]}',
            "SCORING_ROWS": "message",
            "SCORING_MAX_BATCH_SIZE": "32",
            "SCORING_MAX_DELAY_MS": "2.5",
            "SCORING_HTTP_PORT": "0",
            "SCORING_LOG_FORMAT": "json",
            "SCORING_MODEL_NAME": "rul",
            "UNRELATED": "x",
        }
    )
    assert settings.routes == {"in": ["a", "b"], "*": ["c"]}
    assert (settings.script, settings.rows, settings.max_batch_size) == ("main.py", "message", 32)
    assert (settings.max_delay_ms, settings.http_port, settings.log_format) == (2.5, 0, "json")
    assert settings.model_name == "rul"


def test_azure_mls_names_are_synonyms(tmp_path: Path) -> None:
    """AML_APP_ROOT and AZUREML_ENTRY_SCRIPT, where ours are not set."""
    azure = {"AML_APP_ROOT": str(tmp_path), "AZUREML_ENTRY_SCRIPT": "main.py"}
    assert read(azure) == Settings(dir=tmp_path, script="main.py")
    assert read({**azure, "SCORING_SCRIPT": "score.py"}).script == "score.py"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """A manifest may leave one open."""
    assert read({"SCORING_DIR": str(tmp_path), "SCORING_HTTP_PORT": ""}).http_port == 9600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "x"),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "-1"),
        ("MAX_WAITING", "0"),
        ("MAX_UNCONFIRMED", "1.5"),
        ("MAX_BATCH_SIZE", "-1"),
        ("MAX_DELAY_MS", "nan"),
        ("STOP_TIMEOUT_S", "0"),
        ("ROUTES", "{"),
        ("ROUTES", '{"in": "out"}'),
        ("ROUTES", "[]"),
        ("ROUTES", " "),
        ("ROUTES", '{"*":[]}'),
        ("ROUTES", '{"*":["a"],"b":[""]}'),
        ("ROUTES", '{"*":[" a"]}'),
        ("ROUTES", '{"*":["a\\n"]}'),
        ("ERRORS_OUTPUT", "   "),
        ("NOTHING_OUTPUT", "nothing\t"),
        ("PROVIDERS", ","),
        ("PROVIDERS", " "),
        ("ROWS", "all"),
        ("DELIVERY", "exactly-once"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path: Path, name: str, value: str) -> None:
    """One sentence with the variable and its value; exit 2."""
    with pytest.raises(SettingsError) as raised:
        read({"SCORING_DIR": str(tmp_path), f"SCORING_{name}": value})
    assert str(raised.value).startswith(f"SCORING_{name} is {value!r}: ")
    assert "regex" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(("name", "allowed"), [("ROWS", "auto"), ("LOG_LEVEL", "warning"), ("LOG_FORMAT", "edge")])
def test_a_choice_that_does_not_exist_names_those_that_do(tmp_path: Path, name: str, allowed: str) -> None:
    """An error says what to change."""
    with pytest.raises(SettingsError, match=f"expected .*{allowed}"):
        read({"SCORING_DIR": str(tmp_path), f"SCORING_{name}": "other"})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SCORING_BATCH_SIZE", ", did you mean SCORING_MAX_BATCH_SIZE?"),
        ("SCORING_PROVIDER", ", did you mean SCORING_PROVIDERS?"),
        ("SCORING_LOGLEVEL", ", did you mean SCORING_LOG_LEVEL?"),
        ("SCORING_LAYUOT", ", did you mean SCORING_LAYOUT?"),
        ("scoring_dir", ", did you mean SCORING_DIR?"),
        ("SCORING_", ""),
        ("SCORING_PORT_9600_TCP_ADDR", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_named_and_stops_nothing(tmp_path: Path, name: str, said: str) -> None:
    """With the nearest that is one, without its value: it may be somebody else's secret."""
    environment = {"SCORING_DIR": str(tmp_path), name: "s3cret", "UNRELATED": "x", "SCORING": "x"}
    assert read(environment) == Settings(dir=tmp_path)
    assert unknown(environment) == [f"{name} is no setting{said}"]


def test_what_is_known_is_not_named_and_what_is_told_is_bounded() -> None:
    """Those of the workshop are known, an empty one counts as not set, a hundred are told as ten."""
    known = [*(row.name for row in describe()), "SCORING_BASE_IMAGE", "SCORING_MODEL_STORE", "SCORING_VENV"]
    assert unknown(dict.fromkeys(known, "x") | {"SCORING_TYPO": ""}) == []
    many = unknown({f"SCORING_{number}{'x' * 10_000}\x1b": "x" for number in range(100)})
    assert (len(many), max(map(len, many)) < 200, "\x1b" in "".join(many)) == (10, True, False)


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    """SCORING_DIR must be there."""
    with pytest.raises(SettingsError, match=r"SCORING_DIR is '.*/absent', which is no directory"):
        read({"SCORING_DIR": str(tmp_path / "absent")})
    with pytest.raises(SettingsError, match=r"SCORING_DIR is 'a\\n', which is no directory"):
        read({"SCORING_DIR": "a\n"})
    with pytest.raises(SettingsError, match=r"SCORING_DIR is 'x+', which is no directory") as raised:
        read({"SCORING_DIR": "x" * 10_000})
    assert len(str(raised.value)) < 400


def test_every_setting_is_described() -> None:
    """The table of docs/reference/settings.md and ``run --help`` are printed from here."""
    rows = {row.name: row for row in describe()}
    assert sorted(rows) == sorted(f"SCORING_{field.upper()}" for field in Settings.__struct_fields__)
    assert list(rows)[-len(OPTIONS) :] == [f"SCORING_{name.upper()}" for name in OPTIONS]
    assert all(row.description for row in rows.values())
    assert rows["SCORING_ROUTES"].default == '{"*":["amlOutput"]}'


def test_a_relative_journal_means_the_folder_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a script changes the working directory."""
    monkeypatch.chdir(tmp_path)
    settings = read({"SCORING_DIR": str(tmp_path), "SCORING_JOURNAL_DIR": "journal"})
    assert settings.journal_dir == tmp_path / "journal"


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("SCORING_MODEL_NAME", "pump\udcff", "it holds bytes that are no UTF-8"),
        ("SCORING_ROUTES", " ", "blanks are no value, leave it empty or write one"),
        ("SCORING_JOURNAL_DIR", "\n", "blanks are no value, leave it empty or write one"),
        ("SCORING_ROUTES", '{"*"', "it is not JSON: it ends too early"),
        ("SCORING_ROUTES", "true", "expected a JSON object, got true or false"),
        ("SCORING_PROVIDER_OPTIONS", '{"a":' * 100_000, "it is nested too deep"),
        ("SCORING_MERGE", "x" * 100_000, f"SCORING_MERGE is '{'x' * 200}'…: expected one of off, prove, always"),
        ("SCORING_ROUTES", '{"*":[]}', "expected a JSON array with at least one name, inside of it"),
        ("SCORING_ROUTES", '{"*":[""]}', "expected a name that is not empty, inside of it"),
        ("SCORING_ERRORS_OUTPUT", " a", "expected a name without control characters, and without blanks at its ends"),
        ("SCORING_PROVIDERS", ",", "expected `auto` or a list such as `CUDA,CPU`"),
        ("SCORING_ROUTES", "{x}", "it is not JSON"),
        ("SCORING_UNWRAP", "yes", "expected one of 0, 1"),
        ("SCORING_MAX_WAITING", "many", "expected a whole number"),
        ("SCORING_CALIBRATION_S", "fast", "expected a number"),
        ("SCORING_MAX_DELAY_MS", "inf", "expected a number <= 60000"),
        ("SCORING_MAX_UNCONFIRMED", "0", "expected a whole number >= 1"),
    ],
)
def test_what_does_not_fit_is_said_in_words_of_the_environment(
    tmp_path: Path, variable: str, text: str, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        read({"SCORING_DIR": str(tmp_path), variable: text})


async def test_measurements_are_kept_in_the_journals_folder_whatever_names_it(
    models: Path, tmp_path: Path, process: pytest.MonkeyPatch
) -> None:
    """SCORING_JOURNAL_DIR unset, the journal has a folder of its own; what a model costs is kept there, too."""
    process.delenv("SCORING_JOURNAL_DIR", raising=False)
    settings = Settings(dir=models / "affine", journal_dir=tmp_path)
    await replay._score(settings, iter([]), io.BytesIO(), Tally(), wait=False)
    assert len(json.loads((tmp_path / "calibration.json").read_bytes())) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"ROUTES": '{"*": ["a"], "x": ["b", "errors"]}'},
            "SCORING_ERRORS_OUTPUT is 'errors', where predictions leave",
        ),
        ({"ERRORS_OUTPUT": "amlOutput"}, "SCORING_ERRORS_OUTPUT is 'amlOutput', where predictions leave"),
        ({"NOTHING_OUTPUT": "amlOutput"}, "SCORING_NOTHING_OUTPUT is 'amlOutput', where predictions leave"),
        ({"NOTHING_OUTPUT": "errors"}, "SCORING_NOTHING_OUTPUT is 'errors', where errors leave"),
    ],
)
def test_predictions_errors_and_nothing_leave_on_outputs_of_their_own(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    """Who reads one would take the others for it."""
    with pytest.raises(SettingsError, match=said):
        read({"SCORING_DIR": str(tmp_path), **{f"SCORING_{name}": text for name, text in given.items()}})
