"""`scoring-module init` writes folders that work at once, and never writes over anything."""

import bz2
import gzip
import json
import lzma
import pickle
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper, save_model
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from module.errors import SettingsError
from module.packaging.environment.environment import read
from module.packaging.starting.folder import start_folder
from module.packaging.starting.pickled import read_pickle
from scoring import RequestError

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


@pytest.mark.parametrize("data", [b"\x80\x04_sklearn_version\x94\x8c\x40" + b"1.0\n      - evil" * 9 + b"."])
def test_a_version_that_is_none_is_not_written(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.pkl").write_bytes(data)
    assert not any("evil" in each for each in read_pickle(tmp_path / "model.pkl").requirements)


def test_a_number_of_features_beyond_reason_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04n_features_in_\x94J\xff\xff\xff\x7f.")
    assert read_pickle(tmp_path / "model.pkl").features == 1


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 50, b"PK\3\4 of torch.save"])
def test_what_is_no_pickle_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.pkl").write_bytes(data)
    with pytest.raises(SettingsError, match=r"model\.pkl is no pickle"):
        start_folder(tmp_path / "new", tmp_path / "model.pkl")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_pickle_that_is_cut_off_is_refused(tmp_path: Path, pack: Any) -> None:
    """In whatever form joblib wrote it; whole, it is read."""
    path = a_pickle(tmp_path / "model.pkl")
    whole = pack(path.read_bytes())
    path.write_bytes(whole)
    assert read_pickle(path).features == 3
    path.write_bytes(whole[:-20])
    with pytest.raises(SettingsError, match=r"model\.pkl is damaged: "):
        read_pickle(path)


@pytest.mark.parametrize("start", [b"x no zlib", b"\x1f\x8b no gzip"])
def test_a_damaged_compressed_file_is_a_sentence(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "model.pkl").write_bytes(start)
    with pytest.raises(SettingsError, match=r"model\.pkl is damaged: "):
        read_pickle(tmp_path / "model.pkl")


def run_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The run() of a script that was written, after its init()."""
    monkeypatch.setattr("sys.path", [str(folder), *sys.path])
    namespace: dict[str, Any] = {"__file__": str(folder / "score.py"), "__name__": "written"}
    exec((folder / "score.py").read_text(), namespace)
    namespace["init"]()
    return namespace["run"]


@pytest.mark.parametrize("row", [{"temp": 1.0, "vibration": 2.0}, {}, {"Temp": 1.0, "vib": 2.0}, [1.0], 3, "temp"])
@pytest.mark.parametrize("is_several", [False, True])
def test_a_field_that_is_not_there_is_no_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Any, is_several: bool
) -> None:
    """A data frame alone would fill it with NaN, which trees score without a word."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted_on(["temp", "vib"])))
    start_folder(tmp_path / "new", tmp_path / "model.pkl")
    run = run_of(tmp_path / "new", monkeypatch)
    good = {"temp": 1.0, "vib": 2.0}
    with pytest.raises(RequestError, match=r"the field (temp|vib) is missing \(there: |a row is an array of 2 values"):
        run(json.dumps({"data": [good, row]} if is_several else row))


def test_a_row_is_taken_by_itself_and_beside_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of a CSV file is an object: what `replay` makes of it."""
    model = fitted_on(["temp", "vib"])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    start_folder(tmp_path / "new", tmp_path / "model.pkl")
    run = run_of(tmp_path / "new", monkeypatch)
    rows = [{"vib": 2.0, "temp": 1.0, "id": "d1"}, {"temp": 3.0, "vib": 1.0}]
    expected = model.predict(pandas.DataFrame({"temp": [1.0, 3.0], "vib": [2.0, 1.0]})).tolist()
    assert run(json.dumps({"data": rows})) == run(json.dumps({"data": [[1.0, 2.0], [3.0, 1.0]]})) == expected
    assert [run(json.dumps(row)) for row in rows] == expected


def test_an_object_without_names_says_where_they_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_folder(tmp_path / "new", a_pickle(tmp_path / "model.pkl"))
    run = run_of(tmp_path / "new", monkeypatch)
    assert run("[1.0, 0.0, 0.0]") == pytest.approx(1.0)
    with pytest.raises(RequestError, match=r"an object needs the names of its fields in COLUMNS, got \{\"a\": 1\}"):
        run('{"a": 1}')


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_columns_of_texts_get_a_text(tmp_path: Path, dump: Any) -> None:
    """So that the first `check` is good: an encoder of texts takes no number."""
    data = pandas.DataFrame({"speed": [1.0, 2.0, 3.0], "mode": ["cut", "idle", "cut"]})
    encoded = make_column_transformer((StandardScaler(), ["speed"]), (OneHotEncoder(), ["mode"]))
    with (tmp_path / "model.pkl").open("wb") as file:
        dump(make_pipeline(encoded, LinearRegression()).fit(data, [1, 2, 3]), file)
    _, notes = start_folder(tmp_path / "new", tmp_path / "model.pkl")
    assert json.loads((tmp_path / "new" / "sample.json").read_text()) == {"data": [{"speed": 0.0, "mode": "cut"}]}
    assert "sample.json is made up, with categories in mode: put one of your messages there" in notes
    assert checked(tmp_path / "new")["scored"] == 1


@pytest.mark.parametrize(
    ("inside", "names"),
    [
        (b"tree\nfeature_names=temp vib\nfeature_infos=[0:1] [0:1]\n", ["temp", "vib"]),
        (b"tree\nfeature_names=Column_0 Column_1\n", []),
        (
            b"feature_names[#L"
            + bytes([*[0] * 7, 2])
            + b"".join(b"SL" + bytes(7) + b"\x04" + n for n in (b"temp", b"vibr")),
            ["temp", "vibr"],
        ),
        (b"feature_names[#L" + b"\xff" * 8 + b"SL", []),
    ],
)
def test_the_columns_that_a_library_keeps_in_its_own_form_are_found(
    tmp_path: Path, inside: bytes, names: list[str]
) -> None:
    """LightGBM's text, XGBoost's UBJSON: both are in a pickle as they are."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"n_features_in_": 2, "model": inside}))
    assert read_pickle(tmp_path / "model.pkl").names == names


def test_categories_of_lightgbm_are_given_to_it_as_such(tmp_path: Path) -> None:
    """It refuses a data frame with other columns of pandas' categories than it was fitted on."""
    text = b'tree\nfeature_names=speed mode\nfeature_infos=[0:1] 0:1\n\npandas_categorical:[["cut", "idle"]]\n'
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"n_features_in_": 2, "model": text}))
    start_folder(tmp_path / "new", tmp_path / "model.pkl")
    assert json.loads((tmp_path / "new" / "sample.json").read_text()) == {"data": [{"speed": 0.0, "mode": "cut"}]}
    written = (tmp_path / "new" / "score.py").read_text()
    assert "pandas.DataFrame(rows, columns=COLUMNS).astype({'mode': 'category'})" in written


def test_a_library_of_automl_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04\x8c\x18azureml.training.tabular\x94.")
    assert "azureml-training-tabular" in read_pickle(tmp_path / "model.pkl").requirements


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text("mine")
    with pytest.raises(SettingsError, match=r"has sample\.json already"):
        start_folder(tmp_path, None)
    assert [file.name for file in tmp_path.iterdir()] == ["sample.json"]
    assert (tmp_path / "sample.json").read_text() == "mine"


def test_what_cannot_be_served_is_refused_by_name_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "model.h5").write_bytes(b"")
    for name, sentence in (
        ("model.onnx", "cannot be used"),
        ("model.h5", r"must be one of \*\.onnx"),
        ("absent.onnx", "is not a file"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            start_folder(tmp_path / "new", tmp_path / name)
        assert not (tmp_path / "new").exists()
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "new", Path("new")):
        with pytest.raises(SettingsError, match=f"Load model from {tmp_path}/model.onnx failed") as refused:
            start_folder(folder, tmp_path / "model.onnx")
        assert ".new-" not in str(refused.value)


@pytest.mark.parametrize(("name", "section"), [("m.pt", "pytorch"), ("m.keras", "keras"), ("lgb.txt", "lightgbm")])
def test_a_model_in_another_form_is_shown_the_way(tmp_path: Path, name: str, section: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SettingsError, match=f"docs/from-your-model.md#{section} says how"):
        start_folder(tmp_path / "new", tmp_path / name)


@pytest.mark.parametrize("imgsz", ["[32, 48]", ""])
def test_pictures_of_a_free_size_get_that_of_the_export_or_a_note(tmp_path: Path, imgsz: str) -> None:
    """Ultralytics' dynamic=True leaves height and width free, and says in its metadata what it was made for."""
    pictures = helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 3, "h", "w"))
    found = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3, "h", "w"))
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["y"])], "g", [pictures], [found])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"imgsz": imgsz})
    save_model(model, tmp_path / "model.onnx")
    _, notes = start_folder(tmp_path / "new", tmp_path / "model.onnx")
    entry = json.loads((tmp_path / "new" / "scoring.json").read_text())["inputs"]["images"]
    if imgsz:
        assert (entry["decode"], entry["size"]) == ("image", [32, 48])
        assert any("check --sample frame.jpg" in note for note in notes)
        assert checked(tmp_path / "new")["scored"] == 1
    else:
        assert entry == "images"
        assert any('"size": ["height", "width"]' in note for note in notes)


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
