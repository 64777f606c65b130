"""What every test may use: small real ONNX models, the folder of score.py files, a process left as it was found."""

import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from small_models import make_all

from scoring import options

_SET_BY_LOADING = ("AZUREML_MODEL_DIR", "AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT")

# Examples take what a shared machine gives them: a time limit for each would fail by chance.
hypothesis.settings.register_profile("shared machine", deadline=None, max_examples=60, database=None, print_blob=True)
hypothesis.settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin without options of another: what scoring may do is as the environment says."""
    monkeypatch.setattr(options, "_installed", None)


@pytest.fixture(scope="session")
def scripts() -> Path:
    """Give the folder with good and broken score.py files, each in a folder of its own."""
    return Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of models, ``{name}/model.onnx``; small_models.py says which."""
    folder = tmp_path_factory.mktemp("models")
    make_all(folder)
    return folder


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Put back working directory, import path and imported files after a script was loaded in this process."""
    before = set(sys.modules)
    monkeypatch.chdir(Path.cwd())
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for variable in _SET_BY_LOADING:
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    yield monkeypatch
    for name in set(sys.modules) - before:
        if name.startswith("scoring_script_") or "of_this_test" in name:
            del sys.modules[name]
