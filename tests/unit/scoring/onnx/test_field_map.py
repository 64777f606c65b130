"""scoring.json: message fields become inputs, outputs become fields."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from scoring import OnnxModel, RequestError
from scoring.errors import ModelError, RunError
from scoring.onnx.describe import describe
from scoring.onnx.input_fields import MISSING, Field, field_value, lookup
from scoring.onnx.output_fields import Output, shown

MESSAGE = {
    "odd": "1_0",
    "machine": {"id": "m1", "temperature": 20.5, "axes": [1, 2]},
    "speed": "7",
    "a.b": 3,
    "on": True,
    "no": None,
}
MESSAGE["serial"] = str(2**62 + 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a model x[N,3], k[N] (int64) → scores[N,3], class[N]."""
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3]),
        helper.make_tensor_value_info("k", TensorProto.INT64, ["N"]),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3]),
        helper.make_tensor_value_info("class", TensorProto.INT64, ["N"]),
    ]
    nodes = [helper.make_node("Identity", ["x"], ["scores"]), helper.make_node("Identity", ["k"], ["class"])]
    graph = helper.make_graph(nodes, "test", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    return tmp_path


def load(folder: Path, fields: object) -> OnnxModel:
    (folder / "scoring.json").write_text(fields if isinstance(fields, str) else json.dumps(fields))
    return OnnxModel(folder / "model.onnx")


FULL = {
    "inputs": {
        "x": [
            "machine.temperature",
            {"field": "speed", "dtype": "float", "scale": 0.5},
            {"field": "gone", "default": 9},
        ],
        "k": {"field": "on", "dtype": "int"},
    },
    "outputs": {
        "class": [{"name": "state", "labels": ["ok", "worn"]}, "code"],
        "scores": [{"name": "best", "labels": ["p", "q", "r"], "top": 2}, {"name": "high", "threshold": 9}],
    },
    "keep": {"machine": "machine.id", "gone": "not.there"},
}


def test_fields_become_inputs_and_outputs_fields(folder: Path) -> None:
    """The whole of it at once, for each request of a batch."""
    model = load(folder, FULL)
    assert model.batches
    wanted = {
        "machine": "m1",
        "state": "worn",
        "code": 1,
        "best": [{"label": "p", "score": 20.5}, {"label": "r", "score": 9.0}],
        "high": [0, 2],
    }
    assert model.predict([MESSAGE, MESSAGE]) == [wanted, wanted]
    assert describe(model) == [
        "input x: made of machine.temperature, speed, gone, array 3 of number (float32)",
        "input k: made of on, whole number (int64)",
        "output scores: field 'best', 'high', array 3 of number (float32)",
        "output class: field 'state', 'code', whole number (int64)",
        "batch: several requests share a call; a request has no batch axis",
        "kept in the prediction: machine, gone",
    ]


def test_what_is_not_named_goes_by_the_models_names(folder: Path) -> None:
    """An input of its own name; all outputs; the whole message is kept under the prediction."""
    model = load(folder, {"inputs": {"x": ["a", "b", "c"]}, "keep": True, "batch": False})
    assert not model.batches
    given = model.predict([{"a": 1, "b": 2, "c": 3, "k": [4], "class": "overwritten"}])[0]
    assert {name: given[name] for name in ("a", "k", "class")} == {"a": 1, "k": [4], "class": 4}
    assert np.array_equal(given["scores"], [[1, 2, 3]])  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"the field b is missing \(there: a\)"):
        model.predict([{"a": 1}])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("{", "it is not JSON: it ends too early"),
        ([], "expected a JSON object, got a JSON array"),
        ({"input": {}}, r"there is no key 'input' \(did you mean inputs\?\), only batch, inputs, outputs, keep"),
        (
            {"inputs": {"x": {"field": "a", "skale": 1}}},
            r"inputs.x has no key 'skale' \(did you mean scale\?\), only field, default, scale, offset, dtype",
        ),
        ({"inputs": {"x": ["a", {"field": 3}, "b"]}}, r"inputs.x\[1\].field: expected a text, got a whole number"),
        ({"inputs": {"k": {"field": "a", "dtype": "flaot"}}}, "inputs.k.dtype: expected one of float, int, bool, str"),
        (
            {"inputs": {"k": {"field": "a", "scale": "2"}}},
            "inputs.k.scale: expected a whole number or a number",
        ),
        (
            {"outputs": {"class": [{"treshold": 1}]}},
            r"outputs.class\[0\] has no key 'treshold' \(did you mean threshold",
        ),
        ({"outputs": {"class": {"top": 0}}}, "outputs.class.top: expected a whole number >= 1"),
        ({"inputs": {"y": "a"}}, "the model has no input 'y', only x, k"),
        ({"outputs": {"clas": "a"}}, r"the model has no output 'clas' \(did you mean class\?\), only scores, class"),
        ({"inputs": {"x": ["a", "b"]}}, "inputs.x has 2 fields for an input that takes 3"),
        ({"outputs": {"scores": {"boxes": "v7"}}}, "outputs.scores.boxes.layout: expected one of v5, v8, v10"),
        (
            {"outputs": {"scores": {"boxes": {"iuo": 1}}}},
            r"boxes has no key 'iuo' \(did you mean iou\?\), only layout, ",
        ),
        ({"outputs": {"class": {"boxes": {}}}}, r"the output is any, and v8 is \(4 \+ any labels\) × any"),
        ({"outputs": {"class": {"boxes": {}, "top": 1}}}, "outputs.class has boxes: say max and score there"),
        (
            {"inputs": {"x": {"decode": "image"}}},
            "inputs.x: the input takes no single picture, but array any×3 of number",
        ),
    ],
)
def test_what_does_not_fit_is_a_model_error(folder: Path, fields: object, sentence: str) -> None:
    """At start, in one sentence that says where."""
    with pytest.raises(ModelError, match=sentence) as raised:
        load(folder, fields)
    assert str(raised.value).startswith(f"{folder / 'scoring.json'} cannot be used: ")


def test_a_fixed_first_dimension_is_no_batch_axis(folder: Path, models: Path) -> None:
    """What scoring.json says otherwise is refused at start."""
    (folder / "model.onnx").write_bytes((models / "fixed" / "model.onnx").read_bytes())
    with pytest.raises(ModelError, match="batch is true, but the first dimension of x is fixed"):
        load(folder, {"batch": True})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("machine.id", "m1"),
        ("machine.axes.1", 2),
        ("machine.axes.2", MISSING),
        ("machine.axes.x", MISSING),
        ("a.b", 3),
        ("no", None),
        ("machine.id.x", MISSING),
    ],
)
def test_a_path_leads_through_objects_and_lists(path: str, value: object) -> None:
    """A field of that very name goes first."""
    assert lookup(MESSAGE, path) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"field": "speed"}, "7"),
        ({"field": "speed", "dtype": "float"}, 7.0),
        ({"field": "on", "dtype": "float"}, 1.0),
        ({"field": "machine.temperature", "scale": 2, "offset": 0.75, "dtype": "int"}, 42),
        ({"field": "machine.axes", "scale": 10, "offset": 1}, [11, 21]),
        ({"field": "machine.axes", "dtype": "bool"}, [True, True]),
        ({"field": "machine.temperature", "dtype": "str"}, "20.5"),
        ({"field": "serial", "dtype": "int"}, 2**62 + 1),
        ({"field": "serial", "dtype": "int", "scale": 2, "offset": -1}, 2**63 + 1),
        ({"field": "speed", "dtype": "int", "scale": 0.5}, 4),
        ({"field": "no", "default": [0, 0]}, [0, 0]),
    ],
)
def test_values_are_scaled_and_converted(field: dict[str, Any], value: object) -> None:
    """Each one in nested lists; nothing is converted that is not asked for."""
    assert field_value(MESSAGE, Field(**field)) == value


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ({"field": "gone"}, r"the field gone is missing \(there: a\.b, machine, no, odd, on, serial, speed\)"),
        ({"field": "no"}, "the field no is null: send a value, or give it a default in scoring.json"),
        ({"field": "speed", "scale": 2}, "the field speed holds no number: '7'"),
        ({"field": "machine.id", "dtype": "float"}, "the field machine.id holds no float: 'm1'"),
        ({"field": "odd", "dtype": "int"}, "the field odd holds no int: '1_0'"),
        ({"field": "machine", "dtype": "int"}, "the field machine holds no int"),
    ],
)
def test_what_cannot_be_made_is_the_requests_error(field: dict[str, Any], sentence: str) -> None:
    """The sentence names the field as scoring.json does."""
    with pytest.raises(RequestError, match=sentence):
        field_value(MESSAGE, Field(**field))
    with pytest.raises(RequestError, match="missing: expected an object"):
        field_value(7, Field("a"))


SCORES = np.array([0.1, 0.7, 0.2])


@pytest.mark.parametrize(
    ("value", "output", "wanted"),
    [
        (1, {"labels": ["a", "b"]}, "b"),
        (0.7, {"threshold": 0.5}, True),
        (np.float32(0.3), {"threshold": 0.5, "labels": ["fine", "alarm"]}, "fine"),
        (SCORES, {"labels": ["a", "b", "c"]}, {"a": 0.1, "b": 0.7, "c": 0.2}),
        (SCORES[None], {"top": 1}, [{"label": 1, "score": 0.7}]),
        (SCORES, {"top": 9, "threshold": 0.2}, [{"label": 1, "score": 0.7}, {"label": 2, "score": 0.2}]),
        ({"a": 0.4, "b": 0.6}, {"threshold": 0.5}, ["b"]),
        ({"a": 0.4, "b": 0.6}, {"top": 1}, [{"label": "b", "score": 0.6}]),
        ({"0": 0.4, "1": 0.6}, {"labels": ["fine", "worn"]}, {"fine": 0.4, "worn": 0.6}),
        ({"1": 0.6, "0": 0.4}, {"labels": ["fine", "worn"], "top": 1}, [{"label": "worn", "score": 0.6}]),
        (np.nan, {"threshold": 0.5}, None),
        ("text", {}, "text"),
    ],
)
def test_how_an_output_is_shown(value: object, output: dict[str, Any], wanted: object) -> None:
    """Labels, the best few, a threshold."""
    assert shown(value, Output(**output), "y") == wanted


@pytest.mark.parametrize(
    ("value", "output", "sentence"),
    [
        (2, {"labels": ["a", "b"]}, "labels for y from 0 to 1: the model gave 2"),
        ({"2": 0.5}, {"labels": ["a", "b"]}, "labels for y from 0 to 1: the model gave a score for 2"),
        ({"setosa": 0.5}, {"labels": ["a", "b"]}, "labels for y from 0 to 1: the model gave a score for setosa"),
        (SCORES, {"labels": ["a", "b"]}, "has 2 labels for y, which has 3 scores"),
        (np.zeros((2, 2)), {"top": 1}, "asks for labels, top or threshold of y, which is no number"),
        ("a", {"threshold": 1}, "asks for labels, top or threshold of y"),
    ],
)
def test_what_cannot_be_shown_is_said(value: object, output: dict[str, Any], sentence: str) -> None:
    """scoring.json and the model do not agree."""
    with pytest.raises(RunError, match=sentence):
        shown(value, Output(**output), "y")


def test_a_score_that_is_the_threshold_reaches_it(folder: Path) -> None:
    """0.7 as the model has it, a float32, is a little less than 0.7."""
    model = load(folder, {"outputs": {"scores": {"threshold": 0.7, "labels": ["a", "b", "c"]}}})
    assert model.predict([{"x": [0.7, 0.69, 0.71], "k": 1}]) == [{"scores": ["a", "c"]}]


@pytest.mark.parametrize("place", range(3))
def test_what_is_no_number_is_never_among_the_best(place: int) -> None:
    """Wherever it stands, the others stay in order."""
    scores = np.insert([0.2, 0.7], place, np.nan)
    best = shown(scores, Output(top=3), "y")
    assert isinstance(best, list)
    assert [each["score"] for each in best[:2]] == [0.7, 0.2]
    assert np.isnan(best[2]["score"])
    assert shown(scores, Output(top=3, threshold=0.1), "y") == best[:2]
