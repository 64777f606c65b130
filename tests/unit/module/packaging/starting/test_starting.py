"""`scoring-module init` writes folders that work at once, and never writes over anything."""

import gzip
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper, save_model
from sklearn.linear_model import LinearRegression

from module.errors import SettingsError
from module.packaging.environment.environment import read
from module.packaging.starting.folder import start_folder
from module.packaging.starting.pickled import MOST_FEATURES, read_pickle

MODEL = Path(__file__).parents[5] / "examples" / "turbofan" / "model.onnx"


def checked(folder: Path) -> dict[str, Any]:
    """What `check` says of a folder, in a process of its own."""
    command = [sys.executable, "-m", "module.cli", "check", "--json", "--scoring-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def a_pickle(path: Path, protocol: int = 4) -> Path:
    model = LinearRegression().fit([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1.0, 2.0, 3.0])
    path.write_bytes(pickle.dumps(model, protocol))
    return path


def test_a_script_to_fill_in_is_good_at_once(tmp_path: Path) -> None:
    names, notes = start_folder(tmp_path / "new", None)
    assert names == ["myenv.yml", "sample.json", "score.py"]
    assert any("edit score.py" in note for note in notes)
    assert checked(tmp_path / "new")["kind"] == "classic"
    assert read(tmp_path / "new" / "myenv.yml").requirements == []


def test_a_model_gets_a_scoring_json_with_its_own_names(tmp_path: Path) -> None:
    start_folder(tmp_path / "new", MODEL)
    mapped = json.loads((tmp_path / "new" / "scoring.json").read_text())
    assert mapped == {"inputs": {"sensors": "sensors"}, "outputs": {"rul": "rul"}, "keep": []}
    assert checked(tmp_path / "new")["kind"] == "onnx"


def test_a_pickle_gets_a_script_and_the_version_that_made_it(tmp_path: Path) -> None:
    start_folder(tmp_path / "new", a_pickle(tmp_path / 'it\'s "one".pkl'))
    import sklearn

    requirements = read(tmp_path / "new" / "myenv.yml").requirements
    assert f"scikit-learn=={sklearn.__version__}" in requirements
    found = checked(tmp_path / "new")
    assert found["kind"] == "classic"
    assert json.loads((tmp_path / "new" / "sample.json").read_text()) == {"data": [[0.0, 0.0, 0.0]]}


@pytest.mark.parametrize("columns", [["temp (°C)"], ["a", "vib.rms"], ["one", "two", "three"]])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_the_columns_of_a_data_frame_are_found(tmp_path: Path, columns: list[str], protocol: int) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted_on(columns), protocol))
    assert read_pickle(tmp_path / "model.pkl").names == columns


def fitted_on(columns: list[str]) -> LinearRegression:
    rows = [[float(row + column) for column in range(len(columns))] for row in range(4)]
    return LinearRegression().fit(pandas.DataFrame(rows, columns=columns), range(4))


def test_a_pickle_of_a_data_frame_gets_rows_with_names(tmp_path: Path) -> None:
    model = fitted_on(["temp (°C)", "vib.rms"])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    start_folder(tmp_path / "new", tmp_path / "model.pkl")
    zeros = {"temp (°C)": 0.0, "vib.rms": 0.0}
    assert json.loads((tmp_path / "new" / "sample.json").read_text()) == {"data": [zeros]}
    assert "pandas" in read(tmp_path / "new" / "myenv.yml").requirements
    expected = model.predict(pandas.DataFrame([zeros])).tolist()
    assert json.loads(checked(tmp_path / "new")["answers"][0]) == expected


def test_a_model_of_pictures_decodes_them(tmp_path: Path, models: Path) -> None:
    _, notes = start_folder(tmp_path / "new", models / "conv" / "model.onnx")
    mapped = json.loads((tmp_path / "new" / "scoring.json").read_text())
    assert mapped["inputs"] == {"x": {"decode": "image", "layout": "NCHW", "channels": "RGB", "resize": "stretch"}}
    assert read(tmp_path / "new" / "myenv.yml").requirements == ["pillow"]
    assert any("x looks like pictures" in note for note in notes)
    assert checked(tmp_path / "new")["scored"] == 1


@pytest.mark.parametrize(("shape", "layout"), [((1, 6, 40), "v8"), ((1, 40, 7), "v5"), ((1, 40, 6), "v10")])
def test_an_export_of_ultralytics_gives_boxes(tmp_path: Path, shape: tuple[int, ...], layout: str) -> None:
    """The names of its classes are in its metadata."""
    pictures = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 32, 32))
    found = helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)
    value = numpy_helper.from_array(np.zeros(shape, np.float32))
    graph = helper.make_graph([helper.make_node("Constant", [], ["output0"], value=value)], "g", [pictures], [found])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'nut', 1: 'bolt'}"})
    save_model(model, tmp_path / "model.onnx")
    start_folder(tmp_path / "new", tmp_path / "model.onnx")
    mapped = json.loads((tmp_path / "new" / "scoring.json").read_text())
    assert mapped["outputs"] == {"output0": {"boxes": layout}}
    assert mapped["inputs"]["images"]["resize"] == "fit"
    assert checked(tmp_path / "new")["answers"] == ['{"output0":[]}']


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_protocol_of_pickle_is_read_without_running_it(tmp_path: Path, protocol: int, pack: object) -> None:
    path = a_pickle(tmp_path / "model.pkl", protocol)
    path.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    found = read_pickle(path)
    assert found.features == 3
    assert any(each.startswith("scikit-learn==") for each in found.requirements)
    assert found.notes == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04_sklearn_version\x94\x8c\x40" + b"1.0\n      - evil" * 9,
        b"n_features_in_\x94J\xff\xff\xff\x7f",
        bytes(range(256)) * 50,
    ],
)
def test_what_is_no_pickle_gives_a_row_of_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.pkl").write_bytes(data)
    found = read_pickle(tmp_path / "model.pkl")
    assert 0 < found.features <= MOST_FEATURES
    assert not any("evil" in each for each in found.requirements)


@pytest.mark.parametrize("start", [b"x no zlib", b"\x1f\x8b no gzip"])
def test_a_damaged_compressed_file_is_a_sentence(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "model.pkl").write_bytes(start)
    with pytest.raises(SettingsError, match=r"model\.pkl is damaged: "):
        read_pickle(tmp_path / "model.pkl")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text("mine")
    with pytest.raises(SettingsError, match=r"has sample\.json already"):
        start_folder(tmp_path, None)
    assert [file.name for file in tmp_path.iterdir()] == ["sample.json"]
    assert (tmp_path / "sample.json").read_text() == "mine"


def test_what_cannot_be_served_is_refused_by_name_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "model.h5").write_bytes(b"")
    for name, sentence in (
        ("model.onnx", "cannot be used"),
        ("model.h5", r"must be one of \*\.onnx"),
        ("absent.onnx", "is not a file"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            start_folder(tmp_path / "new", tmp_path / name)
    assert not list((tmp_path / "new").iterdir())


def test_the_environment_is_named_after_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Pump: 7 #1"
    start_folder(folder, None)
    assert yaml.safe_load((folder / "myenv.yml").read_text())["name"] == "pump-7-1"
    shutil.rmtree(folder)
    folder.mkdir()
    monkeypatch.chdir(folder)
    start_folder(Path(), None)
    assert yaml.safe_load((folder / "myenv.yml").read_text())["name"] == "pump-7-1"


MLMODEL = """
flavors: {{python_function: {{loader_module: mlflow.{flavor}}}, {flavor}: {{{says}}}}}
saved_input_example_info: {example}
signature: {{inputs: '[{{"type": "double", "name": "speed"}}, {{"type": "double", "name": "load"}}]'}}
"""
PICKLE = "pickled_model: model.pkl, serialization_format: pickle"


@pytest.mark.parametrize("name", ["", "MLmodel"])
@pytest.mark.parametrize("example", ["null", "{artifact_path: input_example.json}"])
def test_an_mlflow_folder_gets_an_environment_without_mlflow(tmp_path: Path, name: str, example: str) -> None:
    """Its flavour's own library loads it; the sample is the example that was saved, else zeros."""
    saved = tmp_path / "saved"
    saved.mkdir()
    model = LinearRegression().fit(pandas.DataFrame({"speed": [1.0, 2.0, 4.0], "load": [1.0, 0.0, 0.0]}), [1, 2, 4])
    (saved / "model.pkl").write_bytes(pickle.dumps(model))
    (saved / "MLmodel").write_text(MLMODEL.format(flavor="sklearn", says=PICKLE, example=example))
    (saved / "requirements.txt").write_text("mlflow==3.1.0\npandas\nscikit-learn\n")
    (saved / "input_example.json").write_text('{"columns": ["speed", "load"], "data": [[4.0, 0.0]]}')
    _, notes = start_folder(tmp_path / "new", saved / name)
    assert read(tmp_path / "new" / "myenv.yml").requirements == ["pandas", "scikit-learn", "pyyaml"]
    found = checked(tmp_path / "new")
    assert found["kind"] == "mlflow"
    if example != "null":
        assert json.loads(found["answers"][0]) == [pytest.approx(4.0)]
        assert notes == []


def test_a_folder_that_is_no_model_of_mlflows_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is not a file, and has no MLmodel$"):
        start_folder(tmp_path / "new", tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: 3")
    with pytest.raises(SettingsError, match=r"--from .*MLmodel cannot be used: .*flavors"):
        start_folder(tmp_path / "new", tmp_path)
