"""Sentences whose premise is checked: a hint that fits, a name that the user knows, a count that is the count."""

import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scoring.bodies.codecs import Body
from scoring.errors import ScriptError
from scoring.scripts import trial
from scoring.scripts.loading import load
from scoring.scripts.results import ResultOptions
from scoring.scripts.trial import Trial, try_script

pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture(autouse=True)
def a_short_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for a moment only."""
    monkeypatch.setattr(trial, "SECONDS", 0.01)


def tried(folder: Path, source: str, *bodies: str) -> Trial:
    """Try a script with some bodies."""
    (folder / "score.py").write_text(source)
    return try_script(folder, "score.py", [Body(body.encode()) for body in bodies], ResultOptions())


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("def init(): os.path.join(os.getenv('MODEL_HOME'), 'x')", "(MODEL_HOME is not set)"),
        (
            "def init(): os.path.join(os.environ.get('AZUREML_MODEL_DIR'), 'x')",
            "(AZUREML_MODEL_DIR is not set: set it to the model's folder)",
        ),
        (
            "DIR = os.path.join(os.getenv('AZUREML_MODEL_DIR'), 'x')\ndef init(): pass",
            "(AZUREML_MODEL_DIR is not set: set it to the model's folder)",
        ),
        (
            "A, B = os.getenv('MODEL_HOME'), os.getenv('AZUREML_MODEL_DIR')\ndef init(): os.path.join(B, A)",
            "(AZUREML_MODEL_DIR and MODEL_HOME are not set)",
        ),
        ("def init(): os.environ['MODEL_HOME']", "KeyError: 'MODEL_HOME' (MODEL_HOME is not set)"),
        ("def init(): os.environ['HOME']; {}['AZUREML_MODEL_DIR']", "KeyError: 'AZUREML_MODEL_DIR'"),
        ("def init(): os.path.join(os.getenv('HOME'), None)", "not 'NoneType'"),
        ("def init(): os.path.join(os.getenv('MODEL_HOME', ''), None)  # os.getenv('OTHER')", "not 'NoneType'"),
        ("def init(): os.getenv('MODEL_HOME').strip()", "no attribute 'strip' (MODEL_HOME is not set)"),
    ],
)
def test_a_hint_names_what_the_script_asks_for(tmp_path: Path, source: str, hint: str) -> None:
    """Only a variable that its own files read, that has no default there and is not set."""
    said = tried(tmp_path, f"import os\n{source}\ndef run(data): return 1\n", "1").error
    assert said.endswith(hint)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("from azureml.core import Model\ndef init(): Model(None, 'x')", "azureml.core.Model needs Azure Machine"),
        ("from azureml.core import Model\ndef init(): Model.list(1)", "azureml.core.Model.list needs Azure Machine"),
        ("from azureml.core.run import Run\ndef init(): Run()", "azureml.core.Run needs Azure Machine"),
        (
            "from azureml.core import Workspace\nclass Mine(Workspace): pass\ndef init(): Mine()",
            "azureml.core.Workspace needs Azure Machine",
        ),
        (
            "from azureml.automl.runtime.shared import Transform\ndef init(): Transform()",
            "azureml.automl.runtime.shared.Transform is in the library azureml-automl-runtime, which is not installed",
        ),
        (
            "from azureml.interpret.scoring import Explainer\ndef init(): Explainer()",
            "azureml.interpret.scoring.Explainer is in the library azureml-interpret, which is not installed",
        ),
    ],
)
def test_what_is_not_here_goes_by_the_name_that_the_script_has_for_it(
    tmp_path: Path, source: str, sentence: str
) -> None:
    """And says whether the service is missing or a library, and which."""
    said = tried(tmp_path, f"{source}\ndef run(data): return 1\n", "1").error
    assert f"RetiredError: {sentence}" in said
    assert "scoring.compat" not in said


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_a_model_of_automl_names_the_library_that_it_needs(tmp_path: Path, protocol: int) -> None:
    """Whatever the pickle's protocol: some make an object without asking its class."""
    fake = type("Voting", (), {"__module__": "fake_of_this_test"})
    made = fake()
    made.weights = [1]  # type: ignore[attr-defined]
    module = ModuleType("fake_of_this_test")
    module.Voting = fake  # type: ignore[attr-defined]
    sys.modules["fake_of_this_test"] = module
    text = pickle.dumps(made, protocol)
    name = b"azureml.training.tabular.models"
    if protocol < 4:
        text = text.replace(b"fake_of_this_test", name)
    else:
        text = text.replace(b"\x8c\x11fake_of_this_test", b"\x8c" + bytes([len(name)]) + name)
        text = text[:2] + b"\x94" + text[11:]  # without the frame, whose length is no longer right
        text = b"\x80\x05" + text[3:]
    (tmp_path / "model.pkl").write_bytes(text)
    source = "import pickle\ndef init(): pickle.load(open('model.pkl', 'rb'))\ndef run(data): return 1\n"
    assert (
        "RetiredError: azureml.training.tabular.models.Voting is in the library azureml-training-tabular, which is not "
        "installed: add it, or do without it"
    ) in tried(tmp_path, source, "1").error


SUM = "import json\ndef init(): pass\ndef run(data): return [sum(row) for row in json.loads(data)['data']]\n"
NEEDED = "to be tried on live messages: 3 different samples of one shape, with 2 different results, are needed"


@pytest.mark.parametrize(
    ("bodies", "there"),
    [
        (['{"data": [[1, 2]]}'] * 3, "3 given: 1 different of one shape, 1 different results"),
        (['{"data": [[1, 2]]}', '{"data": [[2, 1]]}', '{"data": [[3, 0]]}'], "3 given: 3 different of one shape, 1 "),
        (['{"data": [[1, 2]]}', '{"data": [[2, 2]]}'], "2 given: 2 different of one shape, 2 different results"),
        (['{"data": []}'] * 3, "3 given: none has rows that could be merged"),
    ],
)
def test_what_a_trial_of_merging_lacks_is_counted(tmp_path: Path, bodies: list[str], there: str) -> None:
    """What is needed, and what was given of it."""
    said = tried(tmp_path, SUM, *bodies)
    assert said.why.startswith(f"{NEEDED} ({there}")


def test_samples_of_several_shapes_are_sorted(tmp_path: Path) -> None:
    """Another shape between them does not make three samples one."""
    bodies = ['{"data": [[1, 2]]}', '{"data": [[1, 2, 3]]}', '{"data": [[2, 2]]}', '{"data": [[3, 2]]}']
    assert tried(tmp_path, SUM, *bodies).why.startswith("3 samples give the same merged and one by one")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("def run(data, request_headers): return 1", "run() has request_headers, which is of one message"),
        ("def run(data, context): return 1", "run() has context, which is of one message"),
        (
            "def run(data, context, request_headers): return 1",
            "run() has request_headers and context, which is of one message",
        ),
    ],
)
def test_why_each_message_has_a_call_of_its_own(tmp_path: Path, run: str, why: str) -> None:
    """It is the parameter, not the kind of script."""
    assert tried(tmp_path, f"def init(): pass\n{run}\n", "1").why == why


def test_a_bare_model_has_no_script(models: Path, tmp_path: Path) -> None:
    """The built-in one is a file that nobody has; a script in a folder of its own is named with it."""
    assert (load(models / "affine").name, try_script(models / "affine", "score.py", [], ResultOptions()).script) == (
        "",
        "",
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("def init(): pass\ndef run(data): return 1\n")
    assert try_script(tmp_path, "src/main.py", [], ResultOptions()).script == "src/main.py"


def test_a_bare_model_that_does_not_load_is_the_models_fault(tmp_path: Path) -> None:
    """No script is named for it."""
    (tmp_path / "model.onnx").write_bytes(b"no model")
    said = try_script(tmp_path, "score.py", [], ResultOptions())
    assert "model.onnx" in said.error
    assert "score.py" not in said.error
    with pytest.raises(ScriptError):
        load(tmp_path / "absent")
