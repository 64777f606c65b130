"""OnnxModel: a session that takes and gives batches; on real ONNX models."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import OnnxModel, RequestError
from scoring.errors import ModelError
from scoring.execution import runner
from scoring.options import Options

rows = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3)


@given(requests=st.lists(rows, min_size=1, max_size=64))
def test_a_batch_gives_what_single_calls_give(models: Path, requests: list[list[float]]) -> None:
    """Bit for bit, one prediction each, same order."""
    model = OnnxModel(models / "affine" / "model.onnx")
    together = model.predict(requests)
    assert together == [model.predict([request])[0] for request in requests]
    assert together == model.predict([{"x": request} for request in requests])
    assert all(isinstance(prediction["y"], float) for prediction in together)


def test_requests_and_predictions_have_no_batch_axis(models: Path) -> None:
    """Inputs and outputs by name; one number per request is a number, else an array."""
    model = OnnxModel(models / "two" / "model.onnx")
    assert model.batches
    first, second = model.predict([{"a": 1.5, "k": 2, "unknown": "x"}, {"a": 0, "k": -3}])
    assert (first["sum"], second["sum"]) == (3.5, -3.0)
    assert isinstance(first["sum"], float)
    for prediction, pair in ((first, [1.5, 2]), (second, [0, -3])):
        assert isinstance(prediction["pair"], np.ndarray)
        assert np.array_equal(prediction["pair"], pair)


@pytest.mark.parametrize("options", [Options(providers="tpyo"), Options(provider_options={"cdua": {}})])
def test_a_provider_that_nobody_has_is_refused(models: Path, options: Options, process: pytest.MonkeyPatch) -> None:
    """A misspelt name would leave the model on the CPU with a warning; one that is only not installed does."""
    process.setattr("scoring.options._installed", options)
    with pytest.raises(ModelError, match=r"'(tpyo|cdua)' is no provider of ONNX Runtime .* may name .*CUDA"):
        OnnxModel(models / "two" / "model.onnx")


def test_a_missing_input_is_named(models: Path) -> None:
    """With several inputs a request is an object."""
    model = OnnxModel(models / "two" / "model.onnx")
    with pytest.raises(RequestError, match=r"the field k is missing \(there: a\)"):
        model.predict([{"a": 1.5, "k": 2}, {"a": 1.5}])
    with pytest.raises(RequestError, match="the field a is missing: expected an object"):
        model.predict([[1.5, 2]])


def test_rows_of_different_lengths_are_grouped(models: Path) -> None:
    """Where another dimension is free too, requests of one shape share a call; the order stays."""
    model = OnnxModel(models / "free" / "model.onnx")
    requests: list[object] = [[1.0], [1, 2], [], [5], [3, 4], [1, 1, 1]]
    assert [p["y"] for p in model.predict(requests)] == [1, 3, 0, 5, 7, 3]
    with pytest.raises(RequestError, match="the field x is ragged"):
        model.predict([[1.0], [1, [2]]])


def test_without_a_batch_axis_each_request_is_a_call_of_its_own(models: Path) -> None:
    """A request is the whole tensor; a missing leading 1 is added."""
    model = OnnxModel(models / "fixed" / "model.onnx")
    assert not model.batches
    assert model.predict([[1, 2, 3], {"x": [[1, 1, 1]]}]) == [{"y": 6.5}, {"y": 3.5}]
    with pytest.raises(RequestError, match="the field x has the shape 1×2: expected 1×3"):
        model.predict([[1, 2]])


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("texts", ["a", "", "漢 \0"]),
        ("whole", [1, -(2**53) - 1, 2**62 + 1]),
        ("bytes", [0, 255]),
        ("flags", [True, False]),
        ("half", [0.5, -2]),
        ("odd", [0.5, -3]),
    ],
)
def test_every_type_comes_through(models: Path, name: str, requests: list[object]) -> None:
    """Into the model and out of it unchanged."""
    predictions = OnnxModel(models / name / "model.onnx").predict(requests)
    assert [prediction["y"] for prediction in predictions] == requests


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    """One sentence with the path and ONNX Runtime's first line."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"ONNX Runtime cannot load {path}: ") as raised:
        OnnxModel(path)
    assert len(str(raised.value).splitlines()) == 1


def test_where_a_model_is_looked_for(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path from the working directory, then from AZUREML_MODEL_DIR; without one, the only model there is."""
    monkeypatch.chdir(models / "affine")
    monkeypatch.delenv("AZUREML_MODEL_DIR", raising=False)
    assert OnnxModel().path == OnnxModel("model.onnx").path == Path("model.onnx")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"there is no model at model\.onnx$"):
        OnnxModel("model.onnx")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(models / "trees"))
    assert OnnxModel("model.onnx").path == OnnxModel().path == models / "trees" / "model.onnx"
    with pytest.raises(ModelError, match=f"there is no model at other.onnx or {models}/trees/other.onnx"):
        OnnxModel("other.onnx")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(models))
    with pytest.raises(ModelError, match=r"expected exactly one \.onnx file .*: name it in a score\.py"):
        OnnxModel()


def test_tree_ensembles_get_one_thread(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more, rows of a large batch differ from single calls; other models use what the container has."""
    monkeypatch.setattr(runner, "cpu_threads", lambda: 3)
    monkeypatch.setenv("SCORING_CALIBRATION_S", "0")
    for name, threads in (("trees", 1), ("affine", 3)):
        options = OnnxModel(models / name / "model.onnx").session.get_session_options()
        assert options.intra_op_num_threads == threads
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert OnnxModel(models / "trees" / "model.onnx").predict([[0.5], [0.6]]) == [{"y": 1.0}, {"y": 2.0}]
