"""Finding, loading and calling score.py."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from unit_parts import scored

from scoring.batch import BatchOptions, batched
from scoring.bodies.codecs import Body
from scoring.errors import ModelError, RequestError, RunError, ScriptError
from scoring.scripts.kinds import one_at_a_time
from scoring.scripts.loading import Script, load

pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture(autouse=True)
def a_long_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a score() answers must not depend on what else the machine is at."""
    monkeypatch.setattr(one_at_a_time, "TURN", 60.0)


def loaded(directory: Path, name: str = "score.py") -> Script:
    script = load(directory, name)
    script.init()
    return script


def test_the_traceback_is_the_users_own(scripts: Path) -> None:
    """From the first line of theirs on: no frame of ours, none of Python's import."""
    with pytest.raises(ScriptError) as raised:
        load(scripts / "does_not_import")
    assert raised.value.user_traceback.count('File "') == 1
    assert 'HIGHEST = LIMITS["highest"]' in raised.value.user_traceback


def test_init_that_raises_names_the_innermost_line_of_the_user(scripts: Path) -> None:
    """A failing helper is where to look; the traceback shows the way there."""
    script = load(scripts / "init_raises")
    sentence = r"^init\(\) of the scoring script failed: score\.py line 6: FileNotFoundError: no weights in absent.bin$"
    with pytest.raises(ScriptError, match=sentence) as raised:
        script.init()
    assert raised.value.user_traceback.count('File "') == 2


def test_init_without_its_model_is_a_model_error(scripts: Path) -> None:
    """The model is what to change, not the script."""
    with pytest.raises(ModelError, match=r"there is no model at absent\.onnx$"):
        load(scripts / "init_wants_a_model").init()


def test_neither_script_nor_model(tmp_path: Path) -> None:
    """The sentence names the file, the folder and the setting."""
    with pytest.raises(ScriptError, match=f"no score.py, no model.onnx and no MLmodel in {tmp_path}: .* SCORING_DIR"):
        load(tmp_path)
    with pytest.raises(ScriptError, match=r"SCORING_SCRIPT is 'other\.py', and there is no such file in"):
        load(tmp_path, "other.py")


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    """SCORING_SCRIPT may name anything."""
    (tmp_path / "score.txt").write_text("run")
    with pytest.raises(ScriptError, match="not a Python file: set SCORING_SCRIPT"):
        load(tmp_path, "score.txt")


def test_a_batched_script(scripts: Path) -> None:
    """It gets decoded requests, rows one by one, and says how many at most."""
    script = loaded(scripts / "batched")
    assert (script.kind, script.rows, script.max_size) == ("batched", True, 8)
    assert script.decode(Body(b"[1, 2]")) == [1, 2]
    assert scored(script, [1, 2, 3]) == [2, 4, 6]


def test_a_first_parameter_called_mini_batch_is_batched_too(scripts: Path) -> None:
    """As in Azure ML's batch scripts."""
    script = loaded(scripts / "mini_batch")
    assert (script.kind, script.max_size) == ("batched", 64)
    assert scored(script, [None] * 3) == [3, 3, 3]


def test_a_classic_script_gets_the_whole_body_as_text(scripts: Path) -> None:
    """One run() per message, the text by keyword; rows are its own business."""
    script = loaded(scripts / "classic")
    assert (script.kind, script.rows) == ("classic", False)
    body = script.decode(Body(b'{"value": 21}'))
    assert body == '{"value": 21}'
    outcomes = scored(script, [body, '{"other": 1}', body])
    assert outcomes[0] == outcomes[2] == {"doubled": 42}
    assert isinstance(outcomes[1], RunError)
    assert str(outcomes[1]) == "run() failed: score.py line 12: KeyError: 'value'"


def test_the_body_goes_to_the_first_parameter_that_is_not_request_headers(scripts: Path) -> None:
    """As Azure ML's image calls it."""
    assert scored(loaded(scripts / "classic_headers"), ["abc"]) == ["ABC"]


def test_the_folder_is_working_directory_and_import_path(scripts: Path) -> None:
    """A script imports its neighbours and opens its files by relative path."""
    assert scored(loaded(scripts / "imports_its_own_file"), ["7"]) == [21]
    assert Path.cwd() == scripts / "imports_its_own_file"


def test_a_script_of_another_name(scripts: Path, tmp_path: Path) -> None:
    """SCORING_SCRIPT is relative to SCORING_DIR, which stays on the import path."""
    shutil.copytree(scripts / "imports_its_own_file", tmp_path, dirs_exist_ok=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "score.py").rename(tmp_path / "src" / "main.py")
    assert scored(loaded(tmp_path, "src/main.py"), ["2"]) == [6]


def test_each_load_has_a_module_name_of_its_own(scripts: Path) -> None:
    """inference_schema keeps global state by module name: two loads must not meet there."""
    before = set(sys.modules)
    first, second = loaded(scripts / "batched"), load(scripts / "batched")
    assert len({name for name in set(sys.modules) - before if name.startswith("scoring_script_")}) == 2
    assert scored(first, [1]) == [2]
    assert isinstance(scored(second, [1])[0], RunError)  # not initialised: it shares no global with the first


def test_a_bare_model_is_a_script_too(models: Path) -> None:
    """Without score.py the built-in one serves the only model there is."""
    script = loaded(models / "affine")
    assert (script.kind, script.rows) == ("onnx", True)
    assert scored(script, [{"x": [1, 2, 3]}, [1, 1, 1]]) == [{"y": 6.5}, {"y": 3.5}]


def test_a_bare_model_may_lie_in_azureml_model_dir(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that Azure ML mounts models into."""
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(models / "trees"))
    assert scored(loaded(tmp_path), [[3.0]]) == [{"y": 2.0}]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ('{"raise": "exit"}', "score.py line 13: SystemExit: because it was asked to"),
        ('{"raise": "stop"}', "score.py line 13: StopIteration: because it was asked to"),
        ("{", "score.py line 11: JSONDecodeError: Expecting property name"),
    ],
)
def test_whatever_a_classic_run_raises_stays_with_its_request(scripts: Path, request_: str, sentence: str) -> None:
    """Its neighbours are scored, and the reason names the user's line, not the standard library's."""
    good = '{"value": 1}'
    outcomes = scored(loaded(scripts / "fails_while_running"), [good, request_, good])
    assert (outcomes[0], outcomes[2]) == (1, 1)
    assert isinstance(outcomes[1], RunError)
    assert sentence in str(outcomes[1])


def test_cancellation_inside_a_script_is_a_failure_like_any_other(tmp_path: Path) -> None:
    """Scripts use asyncio too; an escaped CancelledError must not leave a message without an answer."""
    (tmp_path / "score.py").write_text(
        "import asyncio\ndef init(): pass\ndef run(data): raise asyncio.CancelledError\n"
    )
    (outcome,) = scored(loaded(tmp_path), ["a"])
    assert isinstance(outcome, RunError)


def test_a_script_refuses_a_request_with_its_own_words(tmp_path: Path) -> None:
    """RequestError is the one failure that is not wrapped."""
    (tmp_path / "score.py").write_text(
        "from scoring import RequestError\ndef init(): pass\ndef run(data): raise RequestError(f'no {data}')\n"
    )
    (outcome,) = scored(loaded(tmp_path), ["rul"])
    assert isinstance(outcome, RequestError)
    assert str(outcome) == "no rul"


def test_a_slow_classic_script_lets_the_answered_ones_go(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a turn's time it returns with what it has, at least one."""
    monkeypatch.setattr(one_at_a_time, "TURN", 0.0)
    assert len(scored(loaded(scripts / "classic"), ['{"value": 1}'] * 10)) == 1
    monkeypatch.setattr(one_at_a_time, "TURN", 60.0)
    assert len(scored(loaded(scripts / "classic"), ['{"value": 1}'] * 10)) == 10


def test_batched_marks_with_and_without_arguments() -> None:
    """The function itself stays as it is."""

    def run(requests: list[object]) -> list[object]:
        return requests

    assert batched(run) is run
    assert run.__dict__["__scoring_batched__"] == BatchOptions(64, bisect=True)
    assert batched(max_size=3, bisect=False)(run) is run
    assert run.__dict__["__scoring_batched__"] == BatchOptions(3, bisect=False)


def test_importing_scoring_brings_no_onnxruntime_and_no_telemetry() -> None:
    """A script without ONNX needs no ONNX Runtime; where it is imported, its telemetry is off already."""
    code = (
        "import os, sys, scoring; assert 'onnxruntime' not in sys.modules; "
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'; scoring.OnnxModel; assert 'onnxruntime' in sys.modules; "
        "assert not hasattr(scoring, 'anything_else')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}

    async def run() -> int:
        return await (await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment)).wait()

    assert asyncio.run(run()) == 0
