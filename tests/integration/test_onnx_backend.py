"""The ONNX project's own backend node tests, scored through our codecs: what ONNX Runtime gives, value for value.

A model counts if ONNX Runtime, run directly on the test's inputs, gives the test's outputs. Its inputs then become a
body, JSON where JSON has the values, else MessagePack; it is decoded and scored by OnnxModel, and the prediction is
encoded and decoded the same way.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from scoring import OnnxModel
from scoring.bodies.codecs import Body, decode
from scoring.bodies.plain_values import encode
from scoring.onnx.specs import TensorSpec, is_wide, spec_of
from scoring.onnx.wide_values import from_ort, to_ort

EXPECTED = Path(__file__).with_name("onnx_backend_expected.txt")
LEAST_PASSED_BY_ONNX_RUNTIME = 1400
"""Of 1.31 with the tests of onnx 1.23: 1,490."""


@pytest.mark.timeout(600)  # 1,490 models: minutes on a busy machine
def test_what_onnx_runtime_passes_passes_through_our_codecs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every type, every shape, sequences and optionals; exceptions are listed with their reasons."""
    monkeypatch.setenv("SCORING_CALIBRATION_S", "0.001")  # each way to run it once: which is faster is of no interest
    onnxruntime.set_default_logger_severity(4)
    request.addfinalizer(lambda: onnxruntime.set_default_logger_severity(2))
    failures: dict[str, str] = {}
    passed = 0
    for name, path, inputs, outputs in _cases(tmp_path):
        passed += 1
        if reason := _difference(path, inputs, outputs):
            failures[name] = reason
    with capsys.disabled():
        rate = 100 * (passed - len(failures)) / passed
        print(
            f"\nONNX backend node tests: {passed - len(failures)} of {passed} that ONNX Runtime passes ({rate:.2f} %)"
        )
    assert passed >= LEAST_PASSED_BY_ONNX_RUNTIME
    assert failures.keys() == _expected(), failures


def _expected() -> set[str]:
    lines = EXPECTED.read_text().splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


def _cases(folder: Path) -> Iterator[tuple[str, Path, dict[str, Any], list[Any]]]:
    """Give name, model, inputs by name and ONNX Runtime's outputs of each test that ONNX Runtime passes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases work out their own outputs, infinities included
        cases = load_model_tests(kind="node")
    for case in cases:
        path = folder / "model.onnx"
        for number, (inputs, expected) in enumerate(_data(case)):
            model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
            path.write_bytes(model.SerializeToString())
            named = dict(zip((i.name for i in model.graph.input), map(_plain, inputs), strict=False))
            try:
                outputs = _direct(path, named)
            except Exception:  # whatever ONNX Runtime does not have
                continue
            if all(_close(out, _plain(wanted), case) for out, wanted in zip(outputs, expected, strict=True)):
                yield f"{case.name}{f'.{number}' if number else ''}", path, named, outputs


def _data(case: TestCase) -> list[tuple[list[Any], list[Any]]]:
    return case.data_sets or []


def _plain(value: Any) -> Any:
    """Give a test's value as an array, a list of arrays or None."""
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if value is None or isinstance(value, list):
        return value if value is None else [np.asarray(each) for each in value]
    return np.asarray(value)


def _direct(path: Path, inputs: Mapping[str, Any]) -> list[Any]:
    """Run a model in ONNX Runtime alone; types that numpy lacks go in and out by their bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if not any(map(is_wide, _dtypes(session))):
        return session.run(None, inputs)
    given = session.run_with_ort_values(
        [o.name for o in session.get_outputs()], {k: to_ort(v) for k, v in inputs.items()}
    )
    return [from_ort(value, _spec(o).dtype) for value, o in zip(given, session.get_outputs(), strict=True)]


def _dtypes(session: onnxruntime.InferenceSession) -> list[np.dtype[Any]]:
    return [_spec(arg).dtype for arg in (*session.get_inputs(), *session.get_outputs())]


def _spec(arg: Any) -> TensorSpec:
    return spec_of(arg.name, arg.type, arg.shape)


def _close(out: Any, wanted: Any, case: TestCase) -> bool:
    if isinstance(out, list):
        return len(out) == len(wanted) and all(_close(o, w, case) for o, w in zip(out, wanted, strict=True))
    if out is None or wanted is None:
        return out is wanted
    if out.dtype.kind in "OUSb":
        return np.array_equal(out.astype(str), wanted.astype(str))
    if out.shape != wanted.shape:
        return False
    return np.allclose(
        out.astype(np.float64), wanted.astype(np.float64), rtol=case.rtol, atol=case.atol, equal_nan=True
    )


def _number(array: Any) -> Any:
    """Give an array in a type that numpy compares: whole numbers as they are."""
    return array if array.dtype.kind in "iu" else array.astype(np.float64)


def _difference(path: Path, inputs: Mapping[str, Any], outputs: list[Any]) -> str:
    """Say in what our way differs from ONNX Runtime's outputs; empty if in nothing."""
    try:
        model = OnnxModel(path)
        body = _body({name: _listed(value) for name, value in inputs.items()})
        prediction = model.predict([decode(body)])[0]
        body = _body({name: _listed(value) for name, value in prediction.items()}, prediction)
        back = decode(body)
    except Exception as error:  # each is a reason
        return f"{type(error).__name__}: {error}"
    assert isinstance(back, dict)
    wrong = [s.name for s, out in zip(model.outputs, outputs, strict=True) if not _same(back[s.name], out)]
    return f"{', '.join(wrong)} differ" if wrong else ""


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value if value is None else _entries(value)


def _entries(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, list) else value


def _body(lists: object, value: object = None) -> Body:
    """Encode a value as JSON if JSON has all that is in it, else as MessagePack."""
    value = lists if value is None else value
    if _json_has(lists):
        return Body(encode(value), "application/json", "utf-8")
    return Body(msgspec.msgpack.encode(value, enc_hook=lambda array: array.tolist()), "application/msgpack")


def _json_has(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):  # bytes; a number that is none, or has no end
        return False
    return True


def _same(back: Any, out: Any) -> bool:
    """Compare a decoded prediction with ONNX Runtime's output: shape and every value; a single number has no shape."""
    if isinstance(out, list):
        return len(back) == len(out) and all(_same(b, o) for b, o in zip(back, out, strict=True))
    if out is None:
        return back is None
    array = np.array(back, dtype=object if out.dtype.kind == "O" else None).astype(out.dtype)
    if array.size != out.size or (out.size > 1 and array.shape != out.shape):
        return False
    array = array.reshape(out.shape)
    if out.dtype.kind in "OUSb":
        return bool(np.array_equal(array, out))
    return bool(np.array_equal(_number(array), _number(out), equal_nan=True))
