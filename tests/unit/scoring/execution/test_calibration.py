"""OnnxModel measures, remembers, divides, fills up and joins; on real models and real sessions."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring import OnnxModel
from scoring.execution import calibration_cache
from scoring.execution.calibration_cache import Cache
from scoring.execution.plan import CPU, Measurement, Plan, Setup
from scoring.execution.runner import filled, joined
from scoring.execution.sessions import Sessions

ROWS = [list(row) for row in np.random.default_rng(1).random((70, 3)).tolist()]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file that measurements are kept in."""
    monkeypatch.setenv("SCORING_JOURNAL_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "calibration.json"


def counted_runs(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Count the calls of sessions from now on, by their rows."""
    runs: Counter[int] = Counter()
    call = OnnxModel._call

    def counting(self: OnnxModel, session: Any, feeds: Mapping[str, Any]) -> list[Any]:
        runs[len(next(iter(feeds.values())))] += 1
        return call(self, session, feeds)

    monkeypatch.setattr(OnnxModel, "_call", counting)
    return runs


def test_the_second_start_measures_nothing(models: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model, providers and machine; every size that will be used is run all the same."""
    first = OnnxModel(models / "conv" / "model.onnx").loaded
    (measured,) = json.loads(kept.read_bytes()).values()
    assert {each["setup"]["provider"] for each in measured} == {CPU}
    assert all(int(size) > 0 and cost > 0 for each in measured for size, cost in each["alone"].items())
    runs = counted_runs(monkeypatch)
    second = OnnxModel(models / "conv" / "model.onnx").loaded
    assert 1 <= runs.total() <= 14
    assert (second.plan, second.provider) == (first.plan, first.provider)
    OnnxModel(models / "affine" / "model.onnx")
    assert len(json.loads(kept.read_bytes())) == 2


def test_another_machine_measures_again(models: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal may move with its disk."""
    OnnxModel(models / "affine" / "model.onnx")
    monkeypatch.setattr(calibration_cache, "_machine", lambda: "another")
    OnnxModel(models / "affine" / "model.onnx")
    assert len(json.loads(kept.read_bytes())) == 2


def test_other_models_and_other_providers_are_measured_for_themselves(tmp_path: Path) -> None:
    """What is kept for one says nothing of another."""
    measured = [Measurement(Setup(), {1: 0.5}, {1: 0.5})]
    Cache(tmp_path, "hash", (CPU,)).put(measured)
    assert Cache(tmp_path, "hash", (CPU,)).get() == measured
    assert Cache(tmp_path, "other", (CPU,)).get() is None
    assert Cache(tmp_path, "hash", ("CUDAExecutionProvider", CPU)).get() is None


def test_a_model_that_ends_the_process_while_it_is_measured_is_not_measured_again(
    models: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would never serve: out of memory at 256 rows is no reason not to take one at a time."""
    OnnxModel(models / "affine" / "model.onnx")
    kept.write_text(json.dumps({key: [] for key in json.loads(kept.read_bytes())}))
    with caplog.at_level(logging.WARNING):
        model = OnnxModel(models / "affine" / "model.onnx")
    assert "the last start ended while it measured model.onnx" in caplog.text
    assert (model.loaded.plan.size, len(model.predict(ROWS))) == (0, 70)


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"\xff"])
def test_a_damaged_file_is_as_none(models: Path, kept: Path, content: bytes) -> None:
    """It is written anew."""
    kept.write_bytes(content)
    OnnxModel(models / "affine" / "model.onnx")
    assert len(json.loads(kept.read_bytes())) == 1


def test_without_time_nothing_is_measured(models: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SCORING_CALIBRATION_S=0."""
    monkeypatch.setenv("SCORING_CALIBRATION_S", "0")
    model = OnnxModel(models / "conv" / "model.onnx")
    assert (model.loaded.describe_plan(), kept.exists()) == ("not measured", False)


def test_a_free_dimension_is_measured_with_the_sample_else_with_the_first_request(
    models: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros of one length say nothing of others."""
    model = OnnxModel(models / "free" / "model.onnx")
    assert not model.loaded.plan.size
    assert model.predict([[1.0, 2.0], [3.0, 4.0]]) == [{"y": 3.0}, {"y": 7.0}]
    assert model.loaded.plan.size
    kept.unlink()
    kept.with_name("sample.json").write_text("[[1, 2, 3, 4], [5, 6, 7, 8]]")
    runs = counted_runs(monkeypatch)
    assert OnnxModel(models / "free" / "model.onnx").loaded.plan.size
    assert runs[1] > 3


@pytest.mark.parametrize(
    ("setup", "size", "pads"),
    [(Setup(CPU, 1), 8, []), (Setup(CPU, 1, 2), 8, []), (Setup(CPU, 1, 3), 8, [1, 4, 8]), (Setup(CPU, 2), 64, [64])],
)
def test_divided_rows_give_what_one_call_gives(models: Path, setup: Setup, size: int, pads: list[int]) -> None:
    """Bit for bit, in order, with one stream and several, filled up or not."""
    inputs = np.random.default_rng(2).random((61, 3, 16, 16), dtype=np.float32)
    path = models / "conv" / "model.onnx"
    whole = Sessions(path, Setup(CPU, 1), {}, lambda session, feeds: session.run(None, dict(feeds)))
    parts = Sessions(path, setup, {}, lambda session, feeds: session.run(None, dict(feeds)))
    sizes = Plan(Measurement(setup, {size: 1.0}, {size: 1.0}), size).split(61)
    ends = accumulate(sizes)
    parts_of_rows = [slice(end - n, end) for n, end in zip(sizes, ends, strict=True)]
    feeds = [filled(lambda part: {"x": inputs[part]}, part, pads) for part in parts_of_rows]
    assert not pads or {len(each["x"]) for each in feeds} <= set(pads)
    (together,) = whole.run([lambda: {"x": inputs}])
    outputs = parts.run([partial(dict, each) for each in feeds])
    assert np.array_equal(joined(outputs, sizes)[0], together[0])


def test_lists_of_maps_are_joined_too() -> None:
    """Scikit-learn's ZipMap gives one for each row."""
    assert joined([[[{1: 0.5}, {1: 0.6}]], [[{1: 0.7}, {1: 9.9}]]], [2, 1]) == [[{1: 0.5}, {1: 0.6}, {1: 0.7}]]


def test_a_sample_for_something_else_is_no_harm(models: Path, kept: Path) -> None:
    """A script's sample need not be what it gives to its model: zeros do as well."""
    kept.with_name("sample.json").write_text('{"something": "else"}')
    model = OnnxModel(models / "affine" / "model.onnx")
    assert model.loaded.plan.size
    assert model.predict([[1, 1, 1]]) == [{"y": 3.5}]
