"""What run() gets besides the body: contexts and headers in every kind, and no parameter that nothing fills."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from unit_parts import carry, reason, value

from module.messages import InputMessage
from scoring.errors import ScriptError
from scoring.scripts.loading import Script, load

pytestmark = pytest.mark.usefixtures("process")

BATCHED = "from scoring import batched\n@batched\n"
RAW = "from azureml.contrib.services.aml_request import rawhttp\n@rawhttp\n"
SCHEMA = (
    "from inference_schema.schema_decorators import input_schema\n"
    "from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType as T\n"
    "@input_schema('data', T([1]))\n"
)
HEADERS = {"Content-Type": "application/json", "Site": "7"}


def loaded(folder: Path, source: str) -> Script:
    """Load a run() with its decorators."""
    (folder / "score.py").write_text(f"{source}\ndef init(): pass\n")
    script = load(folder)
    script.init()
    return script


def answers(folder: Path, source: str, *bodies: bytes) -> list[Any]:
    """Give what leaves for messages of one sender, or the sentence of the error."""
    script = loaded(folder, source)
    system = {"message_id": "m-1", "device_id": "press", "content_type": "application/json"}
    given = [InputMessage(body, "left", system, {"Site": "7"}) for body in bodies or (b'{"data": [1]}',)]
    left = asyncio.run(carry(script, given))
    return [value(each) if each.output != "errors" else reason(each) for each in left]


TOLD = "[c.input, c.device, c.message_id, c.attempt, c.properties['Site'], c.content_type]"


@pytest.mark.parametrize(
    "source",
    [
        f"def run(data, context): c = context; return {TOLD}",
        f"def run(data, *, context): c = context; return {TOLD}",
        f"{BATCHED}def run(requests, contexts): return [{TOLD} for c in contexts]",
        f"{BATCHED}def run(*, requests, contexts): return [{TOLD} for c in contexts]",
        f"{RAW}def run(request): c = request.context; return {TOLD}",
        f"{RAW}def run(request, context): c = context; return {TOLD}",
        f"{SCHEMA}def run(data, context): c = context; return {TOLD}",
    ],
)
def test_every_kind_is_told_what_a_request_came_with(tmp_path: Path, source: str) -> None:
    """By name, wherever the parameter stands."""
    assert answers(tmp_path, source) == [["left", "press", "m-1", 1, "7", "application/json"]]


@pytest.mark.parametrize(
    "source",
    [
        "def run(data, request_headers): return request_headers",
        "def run(request_headers, data): return request_headers",
        f"{BATCHED}def run(requests, request_headers): return request_headers",
        f"{BATCHED}def run(requests, contexts, request_headers=None): return request_headers",
        "def run(mini_batch, request_headers): return request_headers",
        f"{RAW}def run(request, request_headers): return request_headers",
        f"{SCHEMA}def run(data, request_headers): return request_headers",
    ],
)
def test_every_kind_gets_the_headers(tmp_path: Path, source: str) -> None:
    """A dict of one request; a batched run() gets a list of them."""
    assert answers(tmp_path, source) == [HEADERS]


def test_a_batch_has_the_headers_of_each_request(tmp_path: Path) -> None:
    """In the order of the requests; the rows of a body have those of their message, and none can change another's."""
    source = "def run(requests, request_headers):\n    request_headers[0]['x'] = 'y'\n"
    source += "    return list(map(len, request_headers))"
    assert answers(tmp_path, BATCHED + source, b"1", b"[[1], [2], [3]]") == [3, [2, 2, 2]]


def test_a_context_of_a_schema_is_a_field_where_it_may_be_one(tmp_path: Path) -> None:
    """What works in Azure ML stays: a field of the body, a default, a parameter that a decorator names."""
    ours = f"{SCHEMA}def run(data, context): return str(context)[:8]"
    assert answers(tmp_path, ours, b'{"data": [1], "context": 3}', b'{"data": [1]}') == [3, "Context("]
    assert answers(tmp_path, f"{SCHEMA}def run(data, context=5): return context") == [5]
    declared = f"{SCHEMA}@input_schema('context', T('x'))\ndef run(data, context): return context"
    assert answers(tmp_path, declared) == ["the field context is missing (there: data)"]


def test_a_raw_request_is_told_again_when_it_is_scored_again(tmp_path: Path) -> None:
    """Its context counts the attempts."""
    source = "def run(request):\n    if request.context.attempt < 3: raise ConnectionError\n"
    source += "    return request.context.attempt"
    assert answers(tmp_path, RAW + source) == [3]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (f"{BATCHED}def run(requests, model_name): ...", "run.. has the parameter model_name, which no message fills"),
        (f"{BATCHED}def run(requests, context): ...", "run.. has the parameter context, which no message fills"),
        (f"{BATCHED}def run(requests, *, flag): ...", "run.. has the parameter flag, which no message fills"),
        (f"{BATCHED}def run(requests, /): ...", "run.. must take its parameters by name: remove the /"),
        (f"{RAW}def run(request, contexts): ...", "run.. has the parameter contexts, which no message fills"),
        (f"{SCHEMA}def run(data, /): ...", "run.. must take its parameters by name: remove the /"),
        (f"{SCHEMA}def run(data, **more): ...", "run.. must name its parameters"),
        ("def run(data, *, flag): ...", "run.. has the parameter flag, which no message fills"),
        ("run = dict.fromkeys", "run.. must take its parameters by name"),
        ("run = max", "run.. (does not say what its parameters are|must)"),
        (
            "from scoring import batched\n@batched(check=lambda one, two: True)\ndef run(requests): ...",
            r"@batched.check=…., which must take one request: missing a required argument: 'two'",
        ),
        (
            "from scoring import batched\n@batched(check=3)\ndef run(requests): ...",
            r"@batched.check=…., which must take one request: 3 is not a callable object",
        ),
    ],
)
def test_a_parameter_that_nothing_fills_is_refused_at_start(tmp_path: Path, source: str, sentence: str) -> None:
    """Its every call would fail."""
    with pytest.raises(ScriptError, match=sentence):
        loaded(tmp_path, source)


def test_no_content_type_is_claimed_that_nobody_sent(tmp_path: Path) -> None:
    """As Azure ML's server does."""
    script = loaded(tmp_path, "def run(data, request_headers): return request_headers")
    left = asyncio.run(carry(script, [InputMessage(b"[1]", "left", {}, {"Site": "7"})]))
    assert value(left[0]) == {"Site": "7"}
