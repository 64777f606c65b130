"""Every message gets its own answer, whatever a script does with its objects: scored by `scoring-module replay`.

Each script is a pure function of the body, told apart from what it gives by an oracle in the test; so each wrong,
missing or misplaced answer is seen.
"""

import gzip
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

COUNT = 2000


def replayed(
    folder: Path, script: str, messages: Sequence[Any], *, timeout: float = 60, memory_mb: int = 0, **settings: str
) -> list[dict[str, Any]]:
    """Score messages with a script in a process of its own; gives the lines that left, an errors message with its id.

    A message is a JSON body, or a whole line of a messages file.
    """
    (folder / "score.py").write_text(script)
    lines = [
        each if isinstance(each, dict) and "system" in each else {"system": {"message_id": f"m{n}"}, "body": each}
        for n, each in enumerate(messages)
    ]
    (folder / "messages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-m", "module.cli", "replay", "--messages", "--scoring-dir", str(folder)]
    if memory_mb:
        command = ["prlimit", f"--as={memory_mb << 20}", *command]
    done = subprocess.run(
        [*command, str(folder / "messages.jsonl"), "--output", str(folder / "out.jsonl")],
        env={**os.environ, **settings},
        timeout=timeout,
        capture_output=True,
        check=False,
    )
    left = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    is_bad = all(line["output"] == "errors" for line in left)
    assert done.returncode == (1 if is_bad else 0), done.stderr.decode()[-3000:]
    return left


def told(line: dict[str, Any]) -> tuple[str, str, Any]:
    """Give what a line answers, where it left, and its body: of an errors message the sentence."""
    body = line["body"]
    is_error = isinstance(body, dict) and "error" in body
    return line["system"]["message_id"].split(".")[0], line["output"], body["error"]["message"] if is_error else body


SHARED = {
    "one global dict": """
answer = {"x": None}
def init(): pass
def run(raw_data):
    answer["x"] = float(raw_data)
    return answer
""",
    "one global list in a response": """
from azureml.contrib.services.aml_response import AMLResponse
answer = {}
def init(): pass
def run(raw_data):
    answer["x"] = float(raw_data)
    return AMLResponse(answer, 200, json_str=True)
""",
    "a kept array": """
import numpy as np
from scoring import batched
kept = np.zeros((64, 1))
def init(): pass
@batched
def run(requests):
    kept[: len(requests), 0] = requests
    return [{"x": kept[n]} for n in range(len(requests))]
""",
    "views of a kept array": """
import numpy as np
from scoring import batched
kept = np.zeros(64)
def init(): pass
@batched(max_size=7)
def run(requests):
    kept[: len(requests)] = requests
    return [{"x": kept[n : n + 1]} for n in range(len(requests))]
""",
    "kept properties": """
from scoring import Prediction
properties = {}
def init(): pass
def run(raw_data):
    properties["x"] = raw_data
    return Prediction({"x": float(raw_data)}, properties=properties)
""",
    "a kept list of predictions": """
from scoring import Prediction
kept = []
def init(): pass
def run(raw_data):
    kept[:] = [Prediction({"x": float(raw_data)})]
    return kept
""",
    "merged, one kept dict": """
import json
kept = {"x": []}
def init(): pass
def run(raw_data):
    kept["x"] = [2 * row[0] for row in json.loads(raw_data)["data"]]
    return kept
""",
}


@pytest.mark.parametrize("name", SHARED)
def test_results_that_share_an_object_are_each_their_own(tmp_path: Path, name: str) -> None:
    """A result belongs to its message from the moment that run() returns, whatever the next call does to it."""
    merged = name.startswith("merged")
    left = replayed(tmp_path, SHARED[name], [{"data": [[n]]} if merged else n for n in range(COUNT)])
    answers = {told(line)[0]: line for line in left}
    assert len(answers) == len(left) == COUNT
    for n in range(COUNT):
        x = answers[f"m{n}"]["body"]["x"]
        assert (x[0] if isinstance(x, list) else x) == (2 * n if merged else n)
        if name == "kept properties":
            assert answers[f"m{n}"]["properties"]["x"] == str(n)


def test_every_element_of_a_list_with_a_prediction_is_one(tmp_path: Path) -> None:
    """In lists and tuples, with NOTHING and plain values among them; deeper inside it is an error."""
    script = """
import json
from scoring import NOTHING, Prediction
GIVES = {
    "mixed": [Prediction(1, output="alerts"), {"a": 2}],
    "tuple": (Prediction(1, output="alerts"), Prediction(2)),
    "nothing": [NOTHING, {"a": 3}],
    "all nothing": [NOTHING, NOTHING],
    "inside": {"a": NOTHING},
    "deep": [{"a": [Prediction(1, output="alerts")]}],
    "nested": Prediction(Prediction(1, output="alerts")),
    "listed": Prediction([Prediction(1)]),
}
def init(): pass
def run(raw_data): return GIVES[json.loads(raw_data)]
"""
    names = ["mixed", "tuple", "nothing", "all nothing", "inside", "deep", "nested", "listed"]
    left = [told(line) for line in replayed(tmp_path, script, names)]
    assert left[:5] == [
        ("m0", "alerts", 1),
        ("m0", "amlOutput", {"a": 2}),
        ("m1", "alerts", 1),
        ("m1", "amlOutput", 2),
        ("m2", "amlOutput", {"a": 3}),
    ]
    assert [(name, output) for name, output, _ in left[5:]] == [(f"m{n}", "errors") for n in (4, 5, 6, 7)]
    assert all("lies inside of a value" in sentence for _, _, sentence in left[5:])


HOSTILE = """
import json
from collections.abc import Mapping
from scoring import Prediction, RequestError, batched

class Bad:
    def __getattr__(self, name): raise ZeroDivisionError(name)
class ToList:
    ndim = 1
    def tolist(self): raise KeyError("tolist")
class Frame:
    columns = iloc = ()
    def to_dict(self, orient): raise SystemExit("to_dict")
class Keys(Mapping):
    def keys(self): raise KeyboardInterrupt
    __iter__ = __len__ = __getitem__ = keys
class Text(str):
    def __str__(self): raise ValueError("text")
    __repr__ = encode = __str__
class Response:
    status_code = 200
    headers = {}
    def get_data(self): raise RuntimeError("get_data")
class Status(Response):
    status_code = "none"
    def get_data(self): return b"x"
class Error(Exception):
    def __str__(self): raise RuntimeError("text")
class Refusal(RequestError):
    def __str__(self): raise RuntimeError("text")
class Awaited:
    def __await__(self): raise RuntimeError("await")
def error(): raise Error
def refusal(): raise Refusal
def endless():
    inside = []
    inside.append(inside)
    return inside
def changed():
    prediction = Prediction(1, properties={})
    prediction.properties["n"] = 5
    return prediction
GIVES = {
    "getattr": Bad, "tolist": ToList, "frame": Frame, "keys": Keys, "response": Response, "status": Status,
    "error": error, "refusal": refusal, "awaited": Awaited, "endless": endless, "changed": changed,
    "set": set, "listed": lambda: [ToList()], "mapped": lambda: {"a": Keys()}, "many digits": lambda: 10 ** 5000,
    "in a prediction": lambda: Prediction(ToList()), "given error": lambda: Refusal(),
}
"""


@pytest.mark.parametrize("kind", ["classic", "batched"])
def test_what_a_users_object_raises_is_the_error_of_its_message(tmp_path: Path, kind: str) -> None:
    """While it is looked at or converted: nobody else's answer, no end of the process, no wait without end."""
    run = {
        "classic": "def run(raw_data): return given(json.loads(raw_data))\n",
        "batched": "@batched\ndef run(requests): return [given(name) for name in requests]\n",
    }[kind]
    given = "def given(name): return GIVES[name]() if name in GIVES else name\n"
    names = [
        *("getattr", "tolist", "frame", "keys", "response", "status", "error", "refusal", "awaited", "endless"),
        *("changed", "set", "listed", "mapped", "in a prediction", "given error", "many digits"),
    ]
    if kind == "batched":
        names.remove("awaited")  # inside of a list nobody awaits it
    messages = [each for name in names for each in (name, f"good {name}")]
    left = [told(line) for line in replayed(tmp_path, f"{HOSTILE}def init(): pass\n{given}{run}", messages)]
    assert [(name, output) for name, output, _ in left] == [
        (f"m{n}", "amlOutput" if n % 2 else "errors") for n in range(len(messages))
    ]
    assert [body for _, output, body in left if output == "amlOutput"] == [f"good {name}" for name in names]


def test_a_huge_decimal_is_an_error_or_null_and_no_freeze(tmp_path: Path) -> None:
    """Writing out a billion digits would take minutes."""
    script = """
import decimal
def init(): pass
def run(raw_data): return {"d": decimal.Decimal("1e999999999") if raw_data == "1" else decimal.Decimal("2.5")}
"""
    left = [told(line)[2] for line in replayed(tmp_path, script, [0, 1, 2], timeout=20)]
    assert left == [{"d": 2.5}, {"d": None}, {"d": 2.5}]


def test_more_answers_than_packet_ids_are_an_error(tmp_path: Path) -> None:
    """70,000 messages for one would leave no packet id to send them with."""
    script = """
from scoring import Prediction
def init(): pass
def run(raw_data): return [Prediction(n) for n in range(int(raw_data))]
"""
    left = [told(line) for line in replayed(tmp_path, script, [2, 70_000, 10_000, 1])]
    assert [(name, output) for name, output, _ in left if name != "m2"] == [
        *[("m0", "amlOutput")] * 2,
        ("m1", "errors"),
        ("m3", "amlOutput"),
    ]
    assert sum(name == "m2" for name, _, _ in left) == 10_000
    assert "70000 messages would leave for one" in next(body for name, _, body in left if name == "m1")


def test_small_bodies_that_become_large_do_not_fill_the_memory(tmp_path: Path) -> None:
    """24 compressed bodies of some kilobytes in a process with 2.5 GB of address space: each is answered."""
    script = """
from scoring import batched
def init(): pass
@batched
def run(requests): return [len(request) for request in requests]
"""
    data = gzip.compress(b"[" + b",".join([b'"x"'] * 3_900_000) + b"]", 9)
    system = {"content_type": "application/json", "content_encoding": "gzip"}
    messages = [{"system": {"message_id": f"m{n}", **system}, "base64": b64encode(data).decode()} for n in range(24)]
    left = [told(line) for line in replayed(tmp_path, script, messages, memory_mb=2500, timeout=110)]
    assert left == [(f"m{n}", "amlOutput", 3_900_000) for n in range(24)]


def test_a_body_of_millions_of_rows_is_an_error(tmp_path: Path) -> None:
    """Each row becomes a request: 2.9 million of them in six kilobytes delayed all others by half a minute."""
    script = "from scoring import batched\ndef init(): pass\n@batched\ndef run(requests): return requests\n"
    data = gzip.compress(b"[" + b",".join([b"{}"] * 2_900_000) + b"]", 9)
    large = {
        "system": {"message_id": "m0", "content_type": "application/json", "content_encoding": "gzip"},
        "base64": b64encode(data).decode(),
    }
    left = [told(line) for line in replayed(tmp_path, script, [large, [{"a": 1}]], timeout=30)]
    assert left[0][:2] == ("m0", "errors")
    assert "2900000 rows" in left[0][2]
    assert left[1] == ("m1", "amlOutput", [{"a": 1}])


@pytest.mark.parametrize("raised", ["MemoryError", "TimeoutError", "ConnectionResetError"])
@pytest.mark.parametrize("kind", ["classic", "batched"])
def test_a_message_that_always_raises_what_is_called_transient_blocks_nobody(
    tmp_path: Path, raised: str, kind: str
) -> None:
    """Others that are scored show that it is the message: then it is answered as any other failure."""
    run = {
        "classic": f"def run(raw_data):\n    if raw_data == '3': raise {raised}\n    return int(raw_data)\n",
        "batched": f"@batched\ndef run(requests):\n    if 3 in requests: raise {raised}\n    return requests\n",
    }[kind]
    script = f"from scoring import batched\ndef init(): pass\n{run}"
    left = [told(line) for line in replayed(tmp_path, script, list(range(8)), SCORING_TRANSIENT_TRIES="2")]
    assert [(name, output) for name, output, _ in left] == [
        (f"m{n}", "errors" if n == 3 else "amlOutput") for n in range(8)
    ]
    assert raised in left[3][2]


def test_an_outage_blames_nobody(tmp_path: Path) -> None:
    """While everything fails, everything waits, in order: for as many tries as `replay` has."""
    script = """
import time
from scoring import batched
def init():
    global until
    until = time.monotonic() + 4
@batched
def run(requests):
    if time.monotonic() < until: raise ConnectionRefusedError
    return requests
"""
    left = [told(line) for line in replayed(tmp_path, script, list(range(200)), SCORING_TRANSIENT_TRIES="20")]
    assert left == [(f"m{n}", "amlOutput", n) for n in range(200)]


def test_context_and_check(tmp_path: Path) -> None:
    """What a request came with, how often run() has seen it, and a batch that a bad reading does not reach."""
    script = """
from scoring import RequestError, batched
seen = []
def init(): pass
def check(request):
    if request == 3: raise RequestError("three is no reading")
    return request != 5
@batched(check=check)
def run(requests, contexts):
    assert all(type(each.attempt) is int for each in contexts)
    seen.extend(requests)
    return [
        [r, c.message_id, c.properties["room"], c.input, c.attempt, seen.count(r)] for r, c in zip(requests, contexts)
    ]
"""
    messages = [
        {"input": "in", "system": {"message_id": f"m{n}"}, "properties": {"room": f"r{n}"}, "body": n} for n in range(8)
    ]
    left = [told(line) for line in replayed(tmp_path, script, messages)]
    assert [body for _, output, body in left if output == "amlOutput"] == [
        [n, f"m{n}", f"r{n}", "in", 1, 1] for n in range(8) if n not in (3, 5)
    ]
    assert [(name, body) for name, output, body in left if output == "errors"] == [
        ("m3", "three is no reading"),
        ("m5", "it does not pass the script's check"),
    ]


def test_attempts_are_counted_when_a_batch_is_halved(tmp_path: Path) -> None:
    """A script that keeps state sees by the attempt that it may have counted a reading already."""
    script = """
from scoring import batched
def init(): pass
@batched
def run(requests, contexts):
    if 5 in requests: raise ValueError
    return [each.attempt for each in contexts]
"""
    left = {told(line)[0]: told(line) for line in replayed(tmp_path, script, list(range(8)))}
    assert left["m5"][1] == "errors"
    assert left["m4"][2] >= 2 or left["m6"][2] >= 2


def test_a_classic_script_gets_its_context_too(tmp_path: Path) -> None:
    """In a parameter called context, other than the first."""
    script = "def init(): pass\ndef run(raw_data, context): return [raw_data, context.message_id, context.attempt]\n"
    assert [told(line)[2] for line in replayed(tmp_path, script, [1, 2])] == [["1", "m0", 1], ["2", "m1", 1]]


CHANGES = {
    "halves": """
from scoring import batched
def init(): pass
@batched
def run(requests):
    for request in requests:
        request["x"] = request["x"] * 1.8 + 32
    return [request["x"] for request in requests]
""",
    "pops": """
from scoring import batched
def init(): pass
@batched
def run(requests): return [request.pop("x") * 1.8 + 32 for request in requests]
""",
    "fails once": """
from scoring import batched
failed = []
def init(): pass
@batched
def run(requests):
    for request in requests:
        if request["x"] is not None: request["x"] = request["x"] * 1.8 + 32
    if not failed:
        failed.append(1)
        raise ConnectionResetError
    return [1 / 0 if request["x"] is None else request["x"] for request in requests]
""",
    "by name, fails once": """
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema
failed = []
def init(): pass
@input_schema("x", StandardPythonParameterType([1.5]))
def run(x):
    x[0] = x[0] * 1.8 + 32
    if not failed:
        failed.append(1)
        raise ConnectionResetError
    return x[0]
""",
}


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_request_that_run_has_changed_is_decoded_anew(tmp_path: Path, name: str, rows: bool) -> None:
    """Halves of a failing batch and a second try get what the sender sent, not what the first call left of it."""
    given = [{"x": None if n == 37 else float(n)} for n in range(64)]
    expected = [(f"m{n}", "amlOutput", n * 1.8 + 32) for n in range(64) if n != 37]
    if name.startswith("by name"):
        left = [told(line) for line in replayed(tmp_path, CHANGES[name], [{"x": [each["x"] or 0.5]} for each in given])]
        assert [each for each in left if each[0] not in ("m0", "m37")] == expected[1:]
        return
    bodies = [given[n : n + 4] for n in range(0, 64, 4)] if rows else given
    left = [told(line) for line in replayed(tmp_path, CHANGES[name], bodies)]
    assert sum(output == "errors" for _, output, _ in left) == 1
    if rows:
        assert [body for _, output, body in left if output == "amlOutput"] == [
            [each["x"] * 1.8 + 32 for each in body] for body in bodies if all(each["x"] is not None for each in body)
        ]
    else:
        assert [each for each in left if each[1] == "amlOutput"] == expected


def test_of_a_wrong_number_of_predictions_nothing_is_believed(tmp_path: Path) -> None:
    """``return labels, probabilities`` has two entries, as a half of two requests would."""
    script = """
from scoring import batched
def init(): pass
@batched
def run(requests): return [r["a"] for r in requests], [r["b"] for r in requests]
"""
    left = [told(line) for line in replayed(tmp_path, script, [{"a": n, "b": -n} for n in range(8)])]
    assert [output for _, output, _ in left] == ["errors"] * 8


def test_a_generator_that_fills_one_object_gives_each_its_own(tmp_path: Path) -> None:
    """Each prediction is encoded before the next one is asked for."""
    script = """
from scoring import batched
kept = {}
def init(): pass
@batched
def run(requests):
    for request in requests:
        kept["x"] = request
        yield kept
"""
    assert [told(line)[2] for line in replayed(tmp_path, script, list(range(50)))] == [{"x": n} for n in range(50)]


def test_errors_inside_of_predictions_are_errors(tmp_path: Path) -> None:
    """A response of 400 and more, an exception, a refusal: also within a Prediction or a list with one."""
    script = """
import json
from azureml.contrib.services.aml_response import AMLResponse
from scoring import Prediction, RequestError
GIVES = {
    "response": lambda: Prediction(AMLResponse("no", 500)),
    "listed": lambda: [Prediction(1), AMLResponse("no", 400)],
    "refusal": lambda: [RequestError("r"), Prediction(1)],
    "exception": lambda: Prediction(ValueError("x")),
}
def init(): pass
def run(raw_data): return GIVES[json.loads(raw_data)]()
"""
    left = replayed(tmp_path, script, ["response", "listed", "refusal", "exception"])
    assert [line["output"] for line in left] == ["errors", "errors", "errors", "amlOutput"]
    assert left[3]["properties"]["scoringSuspect"] == "error-result"


def test_a_suspect_row_stays_in_its_place(tmp_path: Path) -> None:
    """Who puts rows and answers side by side must not be given those of another."""
    script = """
from scoring import batched
def init(): pass
@batched
def run(requests):
    return [{"error": f"could not convert string to float: {'x'!r}"} if r["n"] == 1 else r["n"] for r in requests]
"""
    (line,) = replayed(tmp_path, script, [[{"n": 0}, {"n": 1}, {"n": 2}]])
    assert line["body"] == [0, {"error": "could not convert string to float: 'x'"}, 2]
    assert line["properties"]["scoringSuspect"] == "error-result"


def test_numpys_dates_and_checks_are_what_they_say(tmp_path: Path) -> None:
    """NaT is null and nanoseconds are kept, in arrays too; numpy's False refuses; a check may be asynchronous."""
    script = """
import numpy as np
from scoring import RequestError, batched
def init(): pass
async def check(request):
    if request == 2: raise RequestError("two")
    return np.all(np.array([request]) < 3)
@batched(check=check)
def run(requests):
    days, nanoseconds = ["2018-12-01", "NaT"], ["2018-12-01T00:00:00.123456789", "NaT"]
    return [{"d": np.array(days, "M8[D]"), "n": np.array(nanoseconds, "M8[ns]")} for _ in requests]
"""
    left = [told(line) for line in replayed(tmp_path, script, [1, 2, 3])]
    assert left[0][2] == {"d": ["2018-12-01T00:00:00", None], "n": ["2018-12-01T00:00:00.123456789", None]}
    assert [body for _, _, body in left[1:]] == ["two", "it does not pass the script's check"]
