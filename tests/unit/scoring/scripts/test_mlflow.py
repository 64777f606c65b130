"""MLflow folders without a script: the ONNX flavour, those that a library loads, and whatever mlflow loads."""

import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from scoring.bodies.codecs import Body, rows_of
from scoring.errors import ModelError, RequestError, RunError, ScoringError, ScriptError
from scoring.predictions import Request
from scoring.scripts.loading import load
from scoring.scripts.results import ResultOptions, joined

pytest.importorskip("pandas")
pytest.importorskip("yaml")
pytestmark = pytest.mark.usefixtures("process")

COLUMNS = [
    {"type": "long", "name": "age", "required": True},
    {"type": "double", "name": "income", "required": True},
    {"type": "string", "name": "job", "required": False},
]
TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]

MODEL = """\
class Model:
    def predict(self, rows):
        if hasattr(rows, "dtypes"):
            kinds = ["text" if str(kind) in ("str", "object") else str(kind) for kind in rows.dtypes]
            columns = [rows[name].tolist() for name in rows]
            told = [["-" if x is None or x != x else str(x) for x in row] for row in zip(*columns)]
            return [[len(rows), *kinds, *row] for row in told]
        if isinstance(rows, dict):
            return {name: list(values) for name, values in rows.items()}
        return rows.sum(axis=1)
"""
"""What stands for a model: it tells what it was given, so that it can be compared."""


def mlmodel(folder: Path, inputs: object = None, **flavors: dict[str, Any]) -> Path:
    """Write an MLmodel as MLflow writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["flavors:"]
    for name, says in flavors.items():
        lines += [f"  {name}:", *(f"    {key}: {value}" for key, value in says.items())]
    if inputs is not None:
        lines += ["signature:", f"  inputs: '{json.dumps(inputs)}'", "  outputs: null"]
    (folder / "MLmodel").write_text("\n".join([*lines, "mlflow_version: 3.17.2", ""]))
    return folder


def told(folder: Path, inputs: object) -> Path:
    """Give a folder in scikit-learn's flavour whose model, of code that is saved with it, tells what it gets."""
    pytest.importorskip("sklearn")
    mlmodel(folder, inputs, sklearn={"pickled_model": "model.pkl", "serialization_format": "pickle"})
    (folder / "code").mkdir()
    (folder / "code" / "telling_of_this_test.py").write_text(MODEL)
    module = type(sys)("telling_of_this_test")
    exec(MODEL, vars(module))
    sys.modules["telling_of_this_test"] = module
    (folder / "model.pkl").write_bytes(pickle.dumps(module.Model()))
    del sys.modules["telling_of_this_test"]
    return folder


def outcomes(directory: Path, bodies: list[object]) -> list[object]:
    """Give what leaves for bodies that are scored in one batch: the value, or the error."""
    script = load(directory)
    script.init()
    requests, numbers = [], []
    for number, body in enumerate(bodies):
        value = script.decode(Body(json.dumps(body).encode(), "application/json"))
        rows = rows_of(value)
        requests += [Request(each, is_row=rows is not None) for each in rows or [value]]
        numbers += [number] * len(rows or [value])
    scored = script.score(requests)
    assert len(scored) == len(requests)
    left: list[object] = []
    for number in range(len(bodies)):
        mine = [outcome for outcome, of in zip(scored, numbers, strict=True) if of == number]
        error = next((outcome for outcome in mine if isinstance(outcome, ScoringError)), None)
        parts = [outcome for outcome in mine if not isinstance(outcome, ScoringError)]
        is_rows = requests[numbers.index(number)].is_row
        bodies_left = list(joined(parts, ResultOptions()) if is_rows else parts[0]) if error is None else []
        left.append(error or json.loads(bodies_left[0].body))
    return left


def test_the_rows_of_a_batch_are_one_frame_with_the_signatures_columns_and_types(tmp_path: Path) -> None:
    """By name in any order, by place; whole numbers may be written 7.0; what may be missing is."""
    given = [{"income": 1, "age": 30, "more": "x"}, [41, 2.5, "cook"], [{"age": 7.0, "income": None}, [8, 3, None]]]
    kinds = [4, "int64", "float64", "text"]
    assert outcomes(told(tmp_path, COLUMNS), given) == [
        [*kinds, "30", "1.0", "-"],
        [*kinds, "41", "2.5", "cook"],
        [[*kinds, "7", "-", "-"], [*kinds, "8", "3.0", "-"]],
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"age": 1}, "the field income is missing (there: age)"),
        ({"age": None, "income": 1}, "the field age holds no long: None"),
        ({"age": 1.5, "income": 1}, "the field age holds no long: 1.5"),
        ({"age": True, "income": 1}, "the field age holds no long: True"),
        ({"age": 1, "income": "2.5"}, "the field income holds no double: '2.5'"),
        ({"age": 2**80, "income": 1}, "the field age holds no long: "),
        ([1, 2], None),
        (7, "expected an object, or an array of 3 (age, income, job), got a value of type int"),
    ],
)
def test_a_row_that_does_not_fit_is_its_senders_error_alone(tmp_path: Path, row: object, sentence: str | None) -> None:
    """Numpy alone would make 1 of 1.5 and 2.5 of a text; the neighbours are scored."""
    good = {"age": 1, "income": 2}
    if row == [1, 2]:
        row, sentence = {"data": [[1, 2]]}, "expected an object, or an array of 3 (age, income, job), got an array of 2"
    first, second, third = outcomes(told(tmp_path, COLUMNS), [good, row, good])
    assert isinstance(second, RequestError)
    assert str(second).startswith(sentence or "")
    assert isinstance(first, list)
    assert isinstance(third, list)


@pytest.mark.parametrize(
    "body",
    [
        {"input_data": {"columns": ["income", "age"], "index": [0, 1], "data": [[1, 30], [2, 40]]}},
        {"dataframe_split": {"columns": ["income", "age"], "data": [[1, 30], [2, 40]]}},
        {"dataframe_records": [{"age": 30, "income": 1}, {"age": 40, "income": 2}]},
        {"columns": ["income", "age"], "data": [[1, 30], [2, 40]]},
        {"input_data": [[30, 1, None], [40, 2, None]]},
    ],
)
def test_what_the_servers_of_azure_ml_and_mlflow_take_is_answered_with_a_list(tmp_path: Path, body: object) -> None:
    """Together with rows of others, in one call."""
    kinds = [3, "int64", "float64", "text"]
    assert outcomes(told(tmp_path, COLUMNS), [body, {"age": 1, "income": 2, "job": "x"}]) == [
        [[*kinds, "30", "1.0", "-"], [*kinds, "40", "2.0", "-"]],
        [*kinds, "1", "2.0", "x"],
    ]


def test_an_empty_or_crooked_body_of_those_servers_is_refused(tmp_path: Path) -> None:
    """In a sentence."""
    crooked = {"input_data": {"columns": ["age"], "data": [[1, 2]]}}
    empty, wrong = outcomes(told(tmp_path, COLUMNS), [{"input_data": []}, crooked])
    assert str(empty) == "there is no row in the body"
    assert str(wrong) == "expected an object, or an array of 1 (age), got an array of 2"


def test_dates_bytes_and_flags(tmp_path: Path) -> None:
    """In ISO 8601, with a time zone as UTC; in base64; true and false."""
    kinds = {"when": "datetime", "picture": "binary", "wet": "boolean"}
    folder = told(tmp_path, [{"type": kind, "name": name, "required": True} for name, kind in kinds.items()])
    given = [["2018-03-01T10:00:00+02:00", "AAE=", True], ["2018-03-01", "", False]]
    first, second, third, fourth = outcomes(folder, [*given, ["tomorrow", "", True], ["2018-03-01", "?", 1]])
    assert isinstance(first, list)
    assert [text.partition("[")[0] for text in first[1:4]] == ["datetime64", "text", "bool"]
    assert first[4:] == ["2018-03-01 08:00:00", r"b'\x00\x01'", "True"]
    assert isinstance(second, list)
    assert second[4:] == ["2018-03-01 00:00:00", "b''", "False"]
    assert str(third).startswith("the field when holds no datetime: ")
    assert isinstance(fourth, RequestError)


def test_a_models_own_input_may_be_called_as_those_servers_call_their_rows(models: Path, tmp_path: Path) -> None:
    """Then it is the input."""
    model = onnx.load(str(models / "affine" / "model.onnx"))
    model.graph.input[0].name = model.graph.node[0].input[0] = "data"
    onnx.save(model, str(tmp_path / "model.onnx"))
    mlmodel(tmp_path, onnx={"data": "model.onnx"})
    assert outcomes(tmp_path, [{"data": [1, 2, 3]}, {"data": [1, 1, 1]}]) == [{"y": 6.5}, {"y": 3.5}]


def test_tensors(tmp_path: Path) -> None:
    """A row is what one position of the first dimension holds; named ones are arrays by name."""
    bare = told(tmp_path / "bare", TENSOR)
    assert outcomes(bare, [[1, 2, 3], [[1, 1, 1], [2, 2, 2.5]]]) == [6.0, [3.0, 6.5]]
    (wrong,) = outcomes(bare, [[1, 2]])
    assert str(wrong) == "the row is 2, not 3"
    (words,) = outcomes(bare, [["a", "b", "c"]])
    assert str(words).startswith("the row holds no array of float64: ")
    named = [
        {**TENSOR[0], "name": "x"},
        {"type": "tensor", "name": "k", "tensor-spec": {"dtype": "int64", "shape": [-1]}},
    ]
    both = told(tmp_path / "named", named)
    assert outcomes(both, [{"x": [1, 2, 3], "k": 7}, {"x": [4, 5, 6], "k": 8}]) == [
        {"x": [1.0, 2.0, 3.0], "k": 7},
        {"x": [4.0, 5.0, 6.0], "k": 8},
    ]


def test_without_a_signature_objects_are_a_frame_and_arrays_an_array(tmp_path: Path) -> None:
    """As the model was trained."""
    folder = told(tmp_path, None)
    assert outcomes(folder, [{"a": 1, "b": "x"}]) == [[1, "int64", "text", "1", "x"]]
    assert outcomes(folder, [[[1, 2], [3, 4]]]) == [[3, 7]]


def test_the_onnx_flavour_is_a_bare_model_whose_fields_are_the_columns(models: Path, tmp_path: Path) -> None:
    """No mlflow, no pandas; a column that may be missing is NaN then; scoring.json beside the model wins."""
    columns = [{"type": "double", "name": name, "required": name != "c"} for name in "abc"]
    mlmodel(tmp_path, columns, onnx={"data": "model.onnx"}, python_function={"loader_module": "mlflow.onnx"})
    shutil.copy(models / "affine" / "model.onnx", tmp_path)
    assert load(tmp_path).kind == "onnx"
    assert outcomes(tmp_path, [{"c": 3, "b": 2, "a": 1}, {"a": 1, "b": 1, "c": 1}]) == [{"y": 6.5}, {"y": 3.5}]
    assert outcomes(tmp_path, [{"b": 2, "a": 1}]) == [{"y": None}]
    rows: list[object] = [
        [[1, 2, 3], {"a": 1, "b": 1, "c": 1}],
        {"input_data": {"columns": ["c", "b", "a"], "data": [[1, 2, 3]]}},
    ]
    assert outcomes(tmp_path, rows) == [[{"y": 6.5}, {"y": 3.5}], [{"y": 6.5}]]
    (missing,) = outcomes(tmp_path, [{"b": 2}])
    assert str(missing) == "the field a is missing (there: b)"
    (tmp_path / "scoring.json").write_text('{"inputs": {"x": ["p", "q", "r"]}}')
    assert outcomes(tmp_path, [{"p": 1, "q": 1, "r": 1}]) == [{"y": 3.5}]


def test_it_may_lie_in_a_folder_of_its_own_or_in_azureml_model_dir(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Azure ML mounts it; a score.py beside it stays what is served."""
    folder = mlmodel(tmp_path / "app" / "model", onnx={"data": "model.onnx"})
    shutil.copy(models / "affine" / "model.onnx", folder)
    assert outcomes(folder.parent, [[1, 2, 3]]) == [{"y": 6.5}]
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / "app"))
    assert outcomes(tmp_path / "empty", [[1, 2, 3]]) == [{"y": 6.5}]
    (tmp_path / "empty" / "score.py").write_text("def init(): pass\ndef run(data): return 1\n")
    assert load(tmp_path / "empty").kind == "classic"


def test_mlflow_loads_it_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: Any) -> None:
    """Any flavour then; what is not installed here is played by a package with the one function that is called."""
    package = tmp_path / "packages" / "mlflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "9.9"\n')
    (package / "pyfunc.py").write_text(MODEL + "\ndef load_model(path):\n    assert path\n    return Model()\n")
    monkeypatch.syspath_prepend(str(package.parent))
    folder = mlmodel(
        tmp_path / "app", TENSOR, keras={"data": "data"}, python_function={"loader_module": "mlflow.keras"}
    )
    try:
        assert outcomes(folder, [[1, 2, 3]]) == [6.0]
        trial = tried(folder)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
            del sys.modules[name]
    assert (trial.kind, trial.models[0]["provider"], trial.error) == ("mlflow", "mlflow 9.9", "")


def test_check_shows_fields_and_scores_the_example_that_was_saved(tmp_path: Path, tried: Any) -> None:
    """Else zeros by the signature."""
    folder = told(tmp_path, COLUMNS)
    trial = tried(folder)
    assert (trial.kind, trial.max_size, trial.sample_from, trial.error) == ("mlflow", 64, "zeros", "")
    assert trial.described == ["field 'age': long", "field 'income': double", "field 'job': string, may be missing"]
    assert trial.sample == '{"age": 0, "income": 0, "job": ""}'
    with (folder / "MLmodel").open("a") as file:
        file.write("saved_input_example_info:\n  artifact_path: input_example.json\n  type: dataframe\n")
    (folder / "input_example.json").write_text('{"columns": ["age", "income", "job"], "data": [[1, 2.5, "x"]]}')
    trial = tried(folder)
    assert (trial.sample_from, trial.error) == ("input_example.json", "")
    assert trial.answers == ['[[1,"int64","float64","text","1","2.5","x"]]']


def test_check_scores_the_example_of_the_onnx_flavour_and_shows_its_fields_beside_any_sample(
    models: Path, tmp_path: Path, tried: Any
) -> None:
    """As of every other flavour; zeros alone are said to be no message."""
    columns = [{"type": "double", "name": name} for name in "abc"]
    mlmodel(tmp_path, columns, onnx={"data": "model.onnx"})
    shutil.copy(models / "affine" / "model.onnx", tmp_path)
    trial = tried(tmp_path)
    assert trial.sample_from == "zeros"
    assert any("zeros were scored" in note for note in trial.notes)
    with (tmp_path / "MLmodel").open("a") as file:
        file.write("saved_input_example_info:\n  artifact_path: input_example.json\n  type: dataframe\n")
    (tmp_path / "input_example.json").write_text('{"columns": ["c", "b", "a"], "data": [[3, 2, 1]]}')
    trial = tried(tmp_path)
    assert (trial.sample_from, trial.answers) == ("input_example.json", ['[{"y":6.5}]'])
    assert not any("zeros" in note for note in trial.notes)
    for bodies in ([], [b'{"a": 1, "b": 2, "c": 3}']):
        (tmp_path / "sample.json").write_text('{"a": 1, "b": 2, "c": 3}')
        trial = tried(tmp_path, *bodies)
        assert trial.answers == ['{"y":6.5}']
        assert trial.described[0] == "input x: made of a, b, c, array 3 of number (float32)"


def test_a_window_is_one_row_of_two_dimensions(tmp_path: Path, tried: Any) -> None:
    """By itself it is rows, as every array of arrays is: the sentence says how it is sent."""
    folder = told(tmp_path, [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2, 3]}}])
    trial = tried(folder)
    assert (trial.sample, trial.error) == ('{"inputs": [[[0, 0, 0], [0, 0, 0]]]}', "")
    said = tried(folder, b"[[1, 2, 3], [4, 5, 6]]").error
    assert (
        "the row is 3, not 2×3 (the rows of an array are requests of their own: if all are one, set SCORING_ROWS"
        in said
    )
    assert tried(folder, b"[[1, 2, 3], [4, 5, 6]]", rows="message").error == ""


def test_what_cannot_be_served_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with what to do."""
    pytest.importorskip("sklearn")

    def refusal(folder: Path) -> str:
        with pytest.raises((ModelError, ScriptError)) as raised:
            load(folder).init()
        return str(raised.value)

    torch = mlmodel(tmp_path / "torch", pytorch={"model_data": "data"}, python_function={"loader_module": "x"})
    assert refusal(torch).endswith("has the flavours python_function, pytorch: add mlflow to the packages")
    gone = mlmodel(tmp_path / "gone", sklearn={"pickled_model": "model.pkl"})
    assert "cannot be loaded: FileNotFoundError: " in refusal(gone)
    trees = mlmodel(tmp_path / "trees", lightgbm={"data": "model.lgb"})
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert "lightgbm" in refusal(trees)
    broken = mlmodel(tmp_path / "broken")
    (broken / "MLmodel").write_text("flavors: [")
    assert "MLmodel cannot be used: " in refusal(broken)
    (broken / "MLmodel").write_text("#" * (2**20 + 1))
    assert refusal(broken).endswith("has more than 1048576 bytes: it is no MLmodel")
    mlmodel(tmp_path / "two" / "a", onnx={})
    mlmodel(tmp_path / "two" / "b", onnx={})
    assert refusal(tmp_path / "two").startswith("expected one MLflow model, found ")
    (tmp_path / "none").mkdir()
    assert "no score.py, no model.onnx and no MLmodel in " in refusal(tmp_path / "none")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert refusal(gone).endswith("[mlflow]', in an image pyyaml in myenv.yml")


def test_a_model_that_gives_another_number_of_rows_is_an_error(tmp_path: Path) -> None:
    """Nobody could say which prediction is whose."""
    folder = told(tmp_path, COLUMNS)
    source = (folder / "code" / "telling_of_this_test.py").read_text()
    (folder / "code" / "telling_of_this_test.py").write_text(source + "Model.predict = lambda self, rows: [1, 2]\n")
    (one,) = outcomes(folder, [{"age": 1, "income": 1}])
    assert isinstance(one, RunError)
    assert str(one).endswith("the model gave 2 predictions for 1 rows")


def test_a_real_scikit_learn_model_gives_what_it_gives_alone(tmp_path: Path) -> None:
    """Bit for bit."""
    linear = pytest.importorskip("sklearn.linear_model")
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame({"age": [30, 40, 50], "income": [1.0, 2.5, 0.5]})
    model = linear.LinearRegression().fit(rows, [1.0, 2.0, 4.0])
    mlmodel(tmp_path, COLUMNS[:2], sklearn={"pickled_model": "model.pkl", "serialization_format": "pickle"})
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    given = [{"age": 33, "income": 1.5}, {"age": 48, "income": 0}]
    assert np.array_equal(outcomes(tmp_path, [*given]), model.predict(pd.DataFrame(given)))
