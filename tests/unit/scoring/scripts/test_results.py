"""What a script returned becomes what leaves: the settings for it, and results that look like a caught exception."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_parts import scored

from scoring import NOTHING, Prediction
from scoring.bodies.plain_values import encode
from scoring.compat.aml_response import AMLResponse
from scoring.errors import RequestError, RunError, ScoringError
from scoring.predictions import Leaving
from scoring.scripts.loading import load
from scoring.scripts.responses import refused
from scoring.scripts.results import ResultOptions, encoded, joined
from scoring.scripts.suspect_results import Swallowed, reads_like_an_error

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def bodies(result: object, **options: Any) -> list[bytes]:
    return [left.body for left in encoded(result, ResultOptions(**options))]


def test_a_text_that_is_json_leaves_as_that_json_and_exact_as_a_json_string() -> None:
    """Of 202 public scripts 37 return json.dumps(…): nobody wants it encoded twice, unless they built on it."""
    assert bodies('{"rul": 1}') == [b'{"rul": 1}']
    assert bodies('{"rul": 1}', text="exact") == [b'"{\\"rul\\": 1}"']
    assert bodies("healthy") == bodies("healthy", text="exact") == [b'"healthy"']
    assert bodies('{"rul": NaN}') == [b'{"rul":null}']
    assert bodies(b'{"rul": 1}') == [b'{"rul": 1}']


@given(JSON_VALUES)
def test_whatever_json_can_say_arrives(value: Any) -> None:
    """The decoded body is the value; None alone is an empty object, as in Azure ML's images."""
    (body,) = bodies(value, text="exact")
    assert json.loads(body) == ({} if value is None else value)


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")], {"a": np.array([np.nan])}, '{"a": NaN}'])
def test_nan_is_null_or_rejected(value: object) -> None:
    """JSON has no NaN; a consumer may prefer an error to a null."""
    assert b"null" in bodies(value)[0]
    with pytest.raises(ScoringError, match="SCORING_NAN is reject"):
        bodies(value, nan="reject")
    assert bodies([1.0, {"a": (2, np.float32(1))}], nan="reject") == [b'[1.0,{"a":[2,1.0]}]']


def test_unwrap_and_split() -> None:
    """For scripts that put every result into a list, and for consumers that want one message each."""
    assert bodies([7], unwrap=True) == [b"7"]
    assert bodies([7, 8], unwrap=True) == [b"[7,8]"]
    assert bodies('{"a": [1]}', unwrap=True) == [b'{"a": [1]}']
    assert bodies([7, 8], split=True) == [b"7", b"8"]
    assert bodies("[7, 8]", split=True) == [b"7", b"8"]
    assert bodies(np.arange(2), split=True) == [b"0", b"1"]
    assert bodies(pd.DataFrame({"a": [1, 2]}), split=True) == [b'{"a":1}', b'{"a":2}']
    assert bodies([], split=True) == []
    assert bodies("text", split=True) == [b'"text"']
    assert bodies(Prediction([1, 2], "alerts"), split=True) == [b"1", b"2"]


def test_several_predictions_and_nothing() -> None:
    """NOTHING among predictions leaves nothing."""
    left = encoded([Prediction(1), NOTHING, Prediction(2, "alerts")], ResultOptions())
    assert [(each.body, each.output) for each in left] == [(b"1", None), (b"2", "alerts")]
    assert encoded(NOTHING, ResultOptions()) == ()


@pytest.mark.parametrize(
    ("response", "left"),
    [
        (AMLResponse("hello", 200), Leaving(b"hello", content_type="text/plain; charset=utf-8")),
        (AMLResponse('{"a": 1}', 200), Leaving(b'{"a": 1}')),
        (AMLResponse({"a": 1}, 200, json_str=True), Leaving(b'{"a": 1}')),
        (AMLResponse(None, 200), Leaving(b"{}")),
        (
            AMLResponse(b"\xff\xd8", 200, {"content-type": "image/jpeg"}),
            Leaving(b"\xff\xd8", None, {}, "image/jpeg", ""),
        ),
        (AMLResponse(b"\xff", 201), Leaving(b"\xff", None, {}, "application/octet-stream", "")),
    ],
)
def test_a_response_leaves_as_it_is(response: AMLResponse, left: Leaving) -> None:
    """With its content type, else with what the body looks like."""
    assert encoded(response, ResultOptions()) == (left,)


def test_a_response_for_a_row_is_its_value() -> None:
    """Rows are answered together as one array."""
    outcomes = [AMLResponse({"a": 1}, 200, json_str=True), AMLResponse("text", 200), 3]
    rows = [encoded(outcome, ResultOptions(), is_row=True) for outcome in outcomes]
    assert [left.body for left in joined(rows, ResultOptions())] == [b'[{"a": 1},"text",3]']


def test_a_response_of_400_and_more_is_an_error() -> None:
    """Below 500 the request's, from there on the script's."""
    assert refused(AMLResponse("ok", 200)) is refused({"status_code": 500}) is None
    assert isinstance(refused(AMLResponse("no such engine", 404)), RequestError)
    error = refused(AMLResponse("broken", 500))
    assert isinstance(error, RunError)
    assert str(error) == "the script answered with status 500: broken"


@dataclass
class Point:
    x: int


def test_values_that_json_does_not_know() -> None:
    """Keys of numpy, dataclasses, large integers, half surrogate pairs: by the slow way if need be."""
    assert encode({np.int64(1): 2}) == b'{"1":2}'
    assert encode(Point(1)) == b'{"x":1}'
    assert encode({"n": 2**70, "p": Point(1)}) == b'{"n":1180591620717411303424,"p":{"x":1}}'
    assert encode("\ud800") == b'"\\ud800"'
    assert encode(pd.NA) == b"null"
    assert encode([np.timedelta64(90, "s"), np.datetime64("NaT")]) == b"[90.0,null]"


@pytest.mark.parametrize("depth", [100, 100_000])
def test_what_is_nested_too_deep_is_an_error_and_no_crash(depth: int) -> None:
    """Or holds itself."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    if depth == 100:
        assert encode(value) == b"[" * 101 + b"]" * 101
    else:
        with pytest.raises(ScoringError, match="cannot be sent as JSON"):
            encode(value)


def swallowed(source: str, tmp_path: Path) -> Swallowed:
    """Give the memory for a run() with that body."""
    path = tmp_path / "score.py"
    path.write_text(source)
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    return Swallowed(names["run"])


GIVES_BACK = "def run(d):\n    try:\n        return d()\n    except Exception as e:\n        return str(e)\n"
RAISES = "def run(d):\n    try:\n        return d()\n    except Exception as e:\n        raise ValueError from e\n"


FLOAT = "could not convert string to float: 'x'"

CAUGHT = [
    ValueError("x"),
    [{"prediction": "", "error": FLOAT}, 400],
    {"error": FLOAT},
    {"errors": ["'rul'"], "message": "failed"},
    json.dumps({"error": FLOAT}),
    {"error": {"message": FLOAT}},
    {"error": {"code": 500, "message": FLOAT}},
    {"Error": FLOAT, "Status": "Failed"},
    {"exception": "KeyError('rul')", "traceback": "Traceback (most recent call last):"},
    {"Result": FLOAT, "Status": "Failed"},
    json.dumps({"Result": FLOAT, "Status": "Failed"}),
    {"status": "error", "result": FLOAT},
    {"status": "ERROR", "message": FLOAT},
    {"success": False, "message": FLOAT},
    {"ok": False, "reason": FLOAT},
    {"code": 500, "message": FLOAT},
    {"statusCode": 400, "body": FLOAT},
    {"status_code": 500, "prediction": FLOAT},
    {"status": "failed", "predictions": [FLOAT]},
    {"error": FLOAT, "predictions": "error"},
    {"result": {"error": FLOAT}},
    {"result": {"error": FLOAT}, "status": "ok"},
    [{"error": FLOAT}],
    json.dumps([{"error": FLOAT}]),
    ({"error": FLOAT}, 500),
    (FLOAT, 400),
    json.dumps([FLOAT, 400]),
    ({"message": FLOAT}, 400),
    (json.dumps({"error": FLOAT}), 500),
    {"errorMessage": "[Errno 2] No such file or directory: 'model.pkl'"},
    {"error_msg": "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Unexpected input data type"},
    {"error": "the pump is broken", "code": 500},
    '{"error": "the pump is broken", "status": 500}',
    {"success": False, "error": "the pump is broken"},
    {"id": 7, "timestamp": "2018-03-01", "error": FLOAT, "status": "failed"},
    {"error": FLOAT, "input": {"a": 1}},
    {"score": None, "error": FLOAT},
    {"status": "error", "exception_type": "KeyError", "exception": "'rul'"},
    {"statusCode": 500, "body": json.dumps({"error": FLOAT})},
]
"""What was caught and returned, whatever the script's file has."""

CAUGHT_IF_GIVEN_BACK = [
    {"error": "the pump is broken"},
    {"Result": "the pump is broken", "Status": "Failed"},
    json.dumps({"Result": "the pump is broken", "Status": "Failed"}),
    {"success": False, "message": "the pump is broken"},
    {"error": True, "message": "the pump is broken"},
    {"code": -1, "message": FLOAT},
    {"error": "the pump is broken", "request_id": "7"},
    {"prediction": -1, "error": FLOAT},
    {"prediction": 0, "error": FLOAT},
    {"score": 0.0, "error": FLOAT},
    {"error": {"code": "", "message": "the pump is broken"}},
    {"error": ["", "the pump is broken"]},
    ({"result": "", "error": "the pump is broken"}, 500),
    [["list index out of range"]],
    ("the pump is broken", 400),
    "list index out of range",
    ["list index out of range"],
    '["list index out of range"]',
    "KeyError: 'rul'",
    "KeyError('rul')",
    "Exception: the pump is broken",
    "Error: the pump is broken",
    "Error while scoring: the pump is broken",
    "An error occurred: the pump is broken",
    "scoring failed: the pump is broken",
    "<class 'ValueError'>",
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: x",
    "[ONNXRuntimeError] : 1 : FAIL : the tensor [1, 2]",
    "[Errno 2] No such file or directory: 'model.pkl'",
    "[Errno 13] Permission denied: 'model.pkl'",
    "['a'] not in index",
    "[2] not in index",
    "\"[Errno 2] No such file or directory: 'model.pkl'\"",
    "Expecting value: line 1 column 1 (char 0)",
    '["Error: the pump is broken"]',
    {"predictions": FLOAT},
    {"prediction": [FLOAT]},
    {"result": FLOAT},
    {"message": FLOAT},
    json.dumps({"result": FLOAT}),
    {"body": "Traceback (most recent call last):"},
    {"output": "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT"},
]
"""What was caught and returned if the script's file has an except clause that gives back what it caught."""

HONEST = [
    {"error": 0.25},
    {"error": [0.1, 0.2]},
    {"error": "", "result": [1]},
    {"error": None, "result": [1]},
    {"error": "high", "prediction": 3},
    {"error": "high", "engine": 3},
    {"id": 7, "error": 0.25, "timestamp": "2018-03-01"},
    {"error": False, "prediction": 3},
    {"error": "high", "prediction": 0},
    {"error": "high", "anomaly": 0},
    {"error": "high", "prediction": False},
    {"error": "bearing", "prediction": 0, "status": "failed"},
    {"reason": "flow is not defined: pump off", "output": 0},
    {"message": "value out of range", "prediction": 0.0},
    {"message": "temperature out of range", "status": "alert"},
    {"message": "the valve must be checked, not closed", "code": 0},
    {"msg": "pump failed: bearing", "status": "warning"},
    {"text": FLOAT},
    {"errors": 0},
    {"errors": [], "status": "ok", "predictions": ["a", "b"]},
    {"status": "failed", "probability": 0.75},
    {"status": "error", "engine": 4, "message": "replace the pump"},
    {"status": "failed"},
    {"status": "failed", "prediction": 1},
    {"status": 200, "result": "cat"},
    {"code": 500, "value": 3.5},
    {"success": True, "message": "scored"},
    {"success": False},
    {"label": "error"},
    {"prediction": "failure"},
    {"predictions": ["failure", "ok"]},
    {"result": "cat", "status": "ok"},
    {"result": "the engine stops in 12 cycles"},
    {"message": "ok", "result": [1, 2]},
    {"result": {"error": 0.5}},
    json.dumps({"result": [1.5, 2.5]}),
    '{"error": 0.25}',
    '{"result": NaN}',
    "cat",
    "error",
    "failed",
    "failure mode: bearing",
    "0.5",
    "",
    "[1, 2]",
    "[ 1.5e3, NaN, -Infinity]",
    "[]",
    '["cat", "dog"]',
    "[[1, 2], [3, 4]]",
    "[null, true]",
    json.dumps(["the error is small"] * 400),
    [1, 2],
    ["cat", "dog"],
    ("cat", 0.9),
    ("cat", 404.5),
    (1, 404),
    [404, 500],
    (0.5, 0.5),
    None,
    True,
    7,
]
"""What is a prediction, whatever the script's file has."""


@pytest.mark.parametrize(
    ("result", "when_given_back", "when_not"),
    [
        *((result, True, True) for result in CAUGHT),
        *((result, True, False) for result in CAUGHT_IF_GIVEN_BACK),
        *((result, False, False) for result in HONEST),
    ],
)
def test_a_result_that_looks_like_a_caught_exception(
    tmp_path: Path, result: object, when_given_back: bool, when_not: bool
) -> None:
    """The rule of suspect_results.py, with and without an except clause that gives back what it caught."""
    assert swallowed(GIVES_BACK, tmp_path).is_in(result) is when_given_back
    assert swallowed(RAISES, tmp_path).is_in(result) is when_not


def test_a_script_that_gives_values_gives_no_texts_by_intention(tmp_path: Path) -> None:
    """Then any plain text is the exception's."""
    memory = swallowed(GIVES_BACK, tmp_path)
    assert not memory.is_in("the model is cold")
    assert not memory.is_in([1.5])
    assert memory.is_in("the model is cold")


def test_a_text_of_the_scripts_own_is_no_exceptions(tmp_path: Path) -> None:
    """It stands in the file; what stands there in an except clause is said of what was caught."""
    source = GIVES_BACK.replace("return d()", "return 'sensor off' if d else {'error': 'none'}")
    memory = swallowed(source.replace("str(e)", "str(e) or 'failed: no reason'"), tmp_path)
    assert not memory.is_in([1.5])
    assert not memory.is_in("sensor off")
    assert not memory.is_in({"error": "none", "id": 7})
    assert memory.is_in("sensor broken")
    assert memory.is_in({"error": "broken", "id": 7})
    assert memory.is_in("failed: no reason")


_ONLY_CAUGHT = [
    "try:\n  return d()\n except Exception:\n  print(1)",
    "try:\n  return d()\n except Exception:\n  return",
    "with d as x:\n  try:\n   y = x()\n  except OSError:\n   return None\n  else:\n   return y",
    "if d:\n  return 1\n else:\n  try:\n   return d()\n  except OSError:\n   raise\n  except Exception:\n   pass",
]
_ALSO_MEANT = [
    "try:\n  return d()\n except Exception:\n  return 0",
    "try:\n  if d:\n   return 1\n except Exception:\n  pass",
    "try:\n  if d:\n   return None\n  return 1\n except Exception:\n  pass",
    "if not d:\n  return\n try:\n  return 1\n except Exception:\n  pass",
    "try:\n  x = d()\n except Exception:\n  x = None\n return x",
    "return d()",
]


@pytest.mark.parametrize(
    ("body", "is_caught"), [*((each, True) for each in _ONLY_CAUGHT), *((each, False) for each in _ALSO_MEANT)]
)
@pytest.mark.parametrize("define", ["def", "async def"])
def test_nothing_is_a_caught_exception_where_only_an_except_clause_gives_it(
    tmp_path: Path, define: str, body: str, is_caught: bool
) -> None:
    """print_exc() and no return; a script that also means to give nothing is believed."""
    memory = swallowed(f"{define} run(d):\n {body}\n", tmp_path)
    assert memory.is_in(None) is is_caught
    assert not memory.is_in([None])


@pytest.mark.parametrize(
    "error", [KeyError("x"), IndexError("list index out of range"), ZeroDivisionError("division by zero")]
)
def test_what_python_says(error: Exception) -> None:
    """Some of it is known by sight."""
    assert reads_like_an_error(str(error))


def chunks_that_end_in_an_error() -> Iterator[str]:
    yield "[1,"
    raise OSError("the camera is gone")


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ((chunk for chunk in ("[1,", "2]")), b"[1,2]"),
        ((chunk for chunk in (b"\x00", b"\xff")), b"\x00\xff"),
        (map(str, [1, 2]), b"12"),
        (iter(["a", b"b"]), b"ab"),
        (io.BytesIO(b"a picture\nof bytes"), b"a picture\nof bytes"),
        (io.StringIO("a text\nof lines"), b"a text\nof lines"),
        (dict.fromkeys("ab").keys(), b"ab"),
        (memoryview(b"bytes"), b"bytes"),
        ((chunk for chunk in ()), b""),
        (["a", "b"], b"ab"),
    ],
)
def test_a_response_made_of_chunks_is_all_of_them(message: object, body: bytes) -> None:
    """As werkzeug joins generators, iterables and files."""
    response = AMLResponse(message, 200)
    assert bodies(response) == [body]
    response.set_data(message if isinstance(message, list | memoryview) else body)
    assert response.get_data() == body


@pytest.mark.parametrize("message", [chunks_that_end_in_an_error(), iter([1]), {1, 2}])
def test_chunks_that_are_none_are_the_messages_error(tmp_path: Path, process: Any, message: object) -> None:
    """Raised where run() makes the response."""
    (tmp_path / "score.py").write_text(
        "from azureml.contrib.services.aml_response import AMLResponse\nmessages = []\n"
        "def init():\n    pass\ndef run(raw_data):\n    return AMLResponse(messages[0], 200)\n"
    )
    script = load(tmp_path)
    script.init()
    sys.modules[next(name for name in reversed(sys.modules) if name.startswith("scoring_script_"))].messages.append(
        message
    )
    (outcome,) = scored(script, ["x"])
    assert isinstance(outcome, RunError)
    assert "chunks of type int" in str(outcome) or "the camera is gone" in str(outcome)
