"""Sentences whose premise is checked: a hint that fits, a name that the user knows, a count that is the count."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import command
import pytest

from module.trial.trial import Trial
from scoring.errors import ScriptError
from scoring.scripts.loading import load

pytestmark = pytest.mark.usefixtures("process")


Try = Callable[..., Trial]


@pytest.fixture
def tell(tmp_path: Path, tried: Callable[..., Trial]) -> Try:
    """Give what `check` finds out about a script, with some bodies."""

    def tell_of(source: str, *bodies: str) -> Trial:
        (tmp_path / "score.py").write_text(source)
        return tried(tmp_path, *map(str.encode, bodies))

    return tell_of


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
def test_a_hint_names_what_the_script_asks_for(tell: Try, source: str, hint: str) -> None:
    """Only a variable that its own files read, that has no default there and is not set."""
    said = tell(f"import os\n{source}\ndef run(data): return 1\n", "1").error
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
def test_what_is_not_here_goes_by_the_name_that_the_script_has_for_it(tell: Try, source: str, sentence: str) -> None:
    """And says whether the service is missing or a library, and which."""
    said = tell(f"{source}\ndef run(data): return 1\n", "1").error
    assert f"RetiredError: {sentence}" in said
    assert "scoring.compat" not in said


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_a_model_of_automl_names_the_library_that_it_needs(tell: Try, tmp_path: Path, protocol: int) -> None:
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
    ) in tell(source, "1").error


SUM = "import json\ndef init(): pass\ndef run(data): return [sum(row) for row in json.loads(data)['data']]\n"
NEEDED = "to be tried on live messages: 3 different samples of one shape, with 2 different results, are needed"


@pytest.mark.parametrize(
    ("bodies", "there"),
    [
        (['{"data": [[1, 2]]}'] * 3, "3 given: 1 different of one shape, 1 different results"),
        (['{"data": [[1, 2]]}', '{"data": [[2, 1]]}', '{"data": [[3, 0]]}'], "3 given: 3 different of one shape, 1 "),
        (['{"data": [[1, 2]]}', '{"data": [[2, 2]]}'], "2 given: 2 different of one shape, 2 different results"),
    ],
)
def test_what_a_trial_of_merging_lacks_is_counted(tell: Try, bodies: list[str], there: str) -> None:
    """What is needed, and what was given of it."""
    said = tell(SUM, *bodies)
    assert said.why.startswith(f"{NEEDED} ({there}")


def test_samples_without_rows_are_not_asked_for_more_of_them(tell: Try) -> None:
    """More of the same would not do either."""
    said = "of 3 given none holds rows that could be merged, an array of arrays or of objects: live messages that do"
    assert tell(SUM, *['{"data": []}'] * 3).why.startswith(said)


def test_samples_of_several_shapes_are_sorted(tell: Try) -> None:
    """Another shape between them does not make three samples one."""
    bodies = ['{"data": [[1, 2]]}', '{"data": [[1, 2, 3]]}', '{"data": [[2, 2]]}', '{"data": [[3, 2]]}']
    assert tell(SUM, *bodies).why.startswith("3 samples give the same merged and one by one")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("def run(data, request_headers): return 1", "run() has request_headers: each message gets a call of its own"),
        ("def run(data, context): return 1", "run() has context: each message gets a call of its own"),
        (
            "def run(data, context, request_headers): return 1",
            "run() has request_headers and context: each message gets a call of its own",
        ),
    ],
)
def test_why_each_message_has_a_call_of_its_own(tell: Try, run: str, why: str) -> None:
    """It is the parameter, not the kind of script."""
    assert tell(f"def init(): pass\n{run}\n", "1").why == why


def test_a_bare_model_has_no_script(models: Path, tmp_path: Path, tried: Callable[..., Trial]) -> None:
    """The built-in one is a file that nobody has: the model is named; a script in a folder of its own with that."""
    assert load(models / "affine").name == ""
    assert tried(models / "affine").script == "model.onnx"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("def init(): pass\ndef run(data): return 1\n")
    assert tried(tmp_path, b"1", script="src/main.py").script == "src/main.py"


def test_a_bare_model_that_does_not_load_is_the_models_fault(tmp_path: Path) -> None:
    """No script is named for it."""
    (tmp_path / "model.onnx").write_bytes(b"no model")
    said = command.run("check", "--scoring-dir", tmp_path, cwd=tmp_path)
    assert b"model.onnx" in said.stderr
    assert b"score.py" not in said.stderr + said.stdout


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("import nosuchpkg.part", "not here: nosuchpkg; a library is installed here by pip and named in myenv.yml"),
        ("def init():\n    import nosuchpkg", "not here: nosuchpkg; "),
        ("raise ModuleNotFoundError('no', name='cv2')", "not here: opencv-python-headless; "),
        ("import json.nosuchpart", ""),
        ("raise ModuleNotFoundError('no', name=5)", ""),
        ("raise ModuleNotFoundError('no')", ""),
    ],
)
def test_a_library_that_is_not_there_comes_with_the_remedy(tmp_path: Path, code: str, hint: str) -> None:
    """Which is installed under its own name; nothing is said where the library is there and lacks a part."""
    (tmp_path / "score.py").write_text(f"def init(): pass\ndef run(d): return d\n{code}\n")
    with pytest.raises(ScriptError) as raised:
        load(tmp_path).init()
    assert (hint in str(raised.value)) if hint else ("not here" not in str(raised.value))


def test_a_script_that_asks_azure_who_it_is_reads_that_a_device_is_nobody(tmp_path: Path) -> None:
    """A default of None is none."""
    (tmp_path / "score.py").write_text(
        "import os\ndef init(): return os.environ.get('MSI_ENDPOINT', None) + os.getenv('PLACE', 'here')\n"
        "def run(data): return 1\n"
    )
    with pytest.raises(ScriptError, match=r"\(MSI_ENDPOINT is not set; a device has no managed identity\)"):
        load(tmp_path).init()


def test_every_library_that_a_script_lacks_is_named_at_once(tmp_path: Path) -> None:
    """As it is called where it is installed; without what has a stand-in, and what the script may do without."""
    (tmp_path / "score.py").write_text(
        "import os\nfrom encrypted.inference.eiserver import EIServer\nfrom azure.keyvault.elsewhere import Client\n"
        "from azureml.core.model import Model\nimport numpy, mine_alone\n"
        "try:\n    import another\nexcept ImportError:\n    another = None\n"
        "def init(): pass\ndef run(data): return 1\n"
    )
    with pytest.raises(
        ScriptError, match=r"\(not here: encrypted-inference, mine_alone, azure-keyvault-elsewhere; a lib"
    ):
        load(tmp_path)
