"""What goes into an image's last layers and its bill of materials, and what never does."""

import json
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.packaging.environment.lock import Lock, bring_up_to_date, read, runtime_requirements
from module.packaging.environment.target import Target
from module.packaging.image.base import Base
from module.packaging.image.base_info import BaseImageInfo
from module.packaging.image.contents import JOURNAL, gather, key_of, runtime
from module.packaging.image.sbom import describe
from module.packaging.image.slimming import slim
from module.packaging.image.wheels import Package
from module.packaging.models.folder import FolderModels


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "helpers").mkdir(parents=True)
    for name in (
        "score.py",
        "helpers/units.py",
        "settings.json",
        "model.onnx",
        ".env",
        "client.pem",
        "telemetry.jsonl.gz",
        "requirements.lock",
        "notes.txt",
    ):
        (folder / name).write_text(name)
    return folder


def test_scripts_above_models_and_no_secret_in_either(directory: Path) -> None:
    contents = gather(directory, None, None)
    script = {entry.path for entry in contents.script if entry.source is not None}
    app = "var/azureml-app"
    assert script == {f"{app}/{name}" for name in ("score.py", "helpers/units.py", "settings.json", "notes.txt")}
    assert [entry.path for entry in contents.model if entry.source] == [f"{app}/model.onnx"]
    journal = next(entry for entry in contents.script if entry.path == JOURNAL)
    assert (journal.mode, journal.owner) == (0o750, 10001)
    assert contents.registered is not None
    assert (contents.registered.name, contents.registered.version) == ("model.onnx", 0)


def test_what_amlignore_names_is_left_out(directory: Path) -> None:
    (directory / ".amlignore").write_text("# mine\nhelpers/\n*.txt\n")
    paths = {entry.path.rpartition("/")[2] for entry in gather(directory, None, None).script if entry.source}
    assert paths == {"score.py", "settings.json"}


def test_a_registered_model_lies_where_azure_ml_has_it(directory: Path, tmp_path: Path) -> None:
    """azureml-models/name/version/file; the file of its name beside score.py is not in the image twice."""
    store = FolderModels(tmp_path / "store")
    model = store.register("rul", directory / "model.onnx")
    contents = gather(directory, model, store.path(model))
    place = "var/azureml-app/azureml-models/rul/1"
    assert [entry.path for entry in contents.model if entry.source] == [f"{place}/model.onnx"]
    assert contents.model_dir == f"/{place}"


def test_nothing_to_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has neither a score"):
        gather(tmp_path, None, None)
    with pytest.raises(SettingsError, match="no scoring directory"):
        gather(tmp_path / "nothing", None, None)


def test_the_runtime_is_in_the_image_without_caches() -> None:
    paths = [entry.path for entry in runtime()]
    assert {"opt/scoring/runtime/module/cli.py", "usr/local/bin/scoring-module"} <= set(paths)
    assert "opt/scoring/runtime/scoring/onnx/model.py" in paths
    assert not [path for path in paths if "__pycache__" in path]


def test_a_layers_key_changes_with_its_contents(directory: Path) -> None:
    before = key_of(gather(directory, None, None).script)
    assert key_of(gather(directory, None, None).script) == before
    (directory / "score.py").write_text("another")
    assert key_of(gather(directory, None, None).script) != before


def test_the_bill_of_materials_names_everything_and_is_the_same_twice(directory: Path) -> None:
    info = BaseImageInfo(system_packages={"libc6": "2.36-9"})
    base = Base("docker.io/library/python:3.12", "sha256:00", {}, [], info, remote=True)
    packages = [Package("numpy", "2.1", "BSD-3-Clause"), Package("Odd_Name", "1", "some words, not SPDX")]
    contents = gather(directory, None, None)
    text = describe("r.io/scoring", base, packages, contents, "amd64")
    assert describe("r.io/scoring", base, packages, contents, "amd64") == text
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    components = {each["name"]: each for each in document["components"]}
    assert components["libc6"]["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64"
    assert components["numpy"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert components["Odd_Name"]["purl"] == "pkg:pypi/odd-name@1"
    assert components["model.onnx"]["type"] == "machine-learning-model"
    assert components["model.onnx"]["hashes"][0]["alg"] == "SHA-256"


def test_slimming_is_a_list_that_can_be_switched_off(tmp_path: Path) -> None:
    names = (
        "numpy/linalg/tests/test_x.py",
        "numpy/linalg/__init__.py",
        "onnxruntime/capi/libonnxruntime.so.1.31.1",
        "numpy.libs/libopenblas.so",
        "bin/f2py",
        "numpy/__init__.pyi",
        "numpy/__pycache__/x.pyc",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    slim(tmp_path, everything=True)
    assert {name for name in names if not (tmp_path / name).exists()} == {"bin/f2py", "numpy/__pycache__/x.pyc"}
    slim(tmp_path, everything=False)
    assert {name for name in names if (tmp_path / name).exists()} == {
        "numpy/linalg/__init__.py",
        "numpy.libs/libopenblas.so",
    }


def test_a_lock_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "requirements.lock"
    assert read(file) == Lock(file)
    pins = "numpy==2.1 \\\n    --hash=sha256:00\n"
    monkeypatch.setattr("module.packaging.environment.lock.run_uv", lambda *said: Path(said[-1]).write_text(pins))
    target = Target("linux/amd64", "cpu", "3.11", "2.36")
    lock = bring_up_to_date(Lock(file), ["numpy"], target, "r.io/python:3@sha256:00", upgrade=False)
    assert (lock.base, lock.pins) == ("r.io/python:3@sha256:00", pins)
    assert read(file) == lock
    file.write_text("numpy==2.1\n")
    assert read(file) == Lock(file)


def test_the_runtime_says_what_it_needs() -> None:
    cpu, gpu = runtime_requirements("cpu"), runtime_requirements("gpu")
    assert any(line.startswith("azure-iot-device") for line in cpu)
    assert [line for line in cpu if line.startswith("onnxruntime")] == ["onnxruntime>=1.20"]
    assert [line for line in gpu if line.startswith("onnxruntime")] == ["onnxruntime-gpu[cuda,cudnn]>=1.20"]
    assert not [line for line in cpu if "pytest" in line or "uv>" in line]
