"""service_schema.json: what cannot be used is refused at start, and what is no schema of a run() is left alone."""

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from scoring.compat.service_schema import FILE, MAX_SIZE, with_service_schema
from scoring.errors import ScriptError


def run(text: str) -> str:
    return text


class Runs:
    def __reduce__(self) -> Any:
        return print, ("a schema was run",)


def described(internal: str) -> str:
    return json.dumps({"input": {"text": {"internal": internal, "swagger": {"example": "x"}, "type": 2}}})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        (described("no base64"), "Only base64 data is allowed"),
        (described(base64.b64encode(b"no pickle").decode()), "cannot be read: "),
        (described(base64.b64encode(pickle.dumps(Runs())).decode()), "it needs builtins.print, which a device has not"),
        (described('{"type": "struct", "fields": []}'), "Spark, which does not run on an edge device"),
        ('{"input": {"text": {}}}', "cannot be read: 'internal'"),
        (" " * (MAX_SIZE + 1), f"it has more than {MAX_SIZE} bytes"),
    ],
    ids=["json", "base64", "pickle", "code", "spark", "empty", "large"],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    """And nothing that it holds is run."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ScriptError) as raised:
        with_service_schema(run, tmp_path)
    assert reason in str(raised.value)
    assert str(raised.value).startswith(f"{FILE} cannot be read: ")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content", ['{"$schema": "https://json-schema.org/draft/2020-12/schema"}', '{"output": {}}', "{}"]
)
def test_a_file_of_that_name_that_says_nothing_of_inputs_is_left_alone(tmp_path: Path, content: str) -> None:
    """It may be another program's."""
    (tmp_path / FILE).write_text(content)
    assert with_service_schema(run, tmp_path) is run
