"""A rawhttp script's request and response, as Flask's are; and what leaves of a response, ours or the real one."""

import copy
import gzip
import io
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response

from scoring.bodies.codecs import Body
from scoring.compat.aml_request import AMLRequest
from scoring.compat.aml_response import AMLResponse
from scoring.errors import ScoringError
from scoring.scripts.loading import load
from scoring.scripts.responses import refused
from scoring.scripts.results import ResultOptions, encoded

pytestmark = pytest.mark.usefixtures("process")


def test_a_message_without_a_content_type_counts_as_json_and_another_one_does_not() -> None:
    """A device seldom says what it sends; where it does, get_json() goes by it as Flask's does."""
    assert AMLRequest(b"[1]").json == AMLRequest(b"[1]", "application/ld+json").json == [1]
    assert AMLRequest(b"[1]").content_type is AMLRequest(b"[1]").headers.get("Content-Type") is None
    text = AMLRequest(b"[1]", "text/plain")
    assert (text.get_json(silent=True), text.get_json(force=True)) == (None, [1])
    with pytest.raises(UnsupportedMediaType, match="was not 'application/json'"):
        AMLRequest(b"[1]", "text/plain").get_json()


def test_the_body_of_a_form_is_read_as_flask_reads_it() -> None:
    """``data`` is what is no form; ``get_data()`` is all of it if it comes first."""
    kind = "application/x-www-form-urlencoded"
    request = AMLRequest(b"a=1", kind, {"name": "é=&"})
    assert (request.data, request.form["a"], request.get_data()) == (b"", "1", b"")
    assert AMLRequest(b"a=1", kind).get_data(parse_form_data=True) == b""
    request = AMLRequest(b"a=1", kind, {"name": "é=&"})
    assert request.get_data(False, False) == b"a=1"
    request = AMLRequest(b"a=1", kind, {"name": "é=&"})
    assert (request.get_data(as_text=True), request.form["a"], request.data) == ("a=1", "1", b"a=1")
    assert request.args["name"] == request.headers["name"] == "é=&"
    again = copy.deepcopy(request)
    assert (again.data, again.form["a"], again.headers["Content-Type"]) == (b"a=1", "1", request.content_type)


def test_properties_that_differ_in_capitals_are_one_header() -> None:
    """Joined as servers join them; the query has both."""
    request = AMLRequest(b"", "", {"Room": "1", "room": "2", "x": "3"})
    assert dict(request.headers) == {"Room": "1,2", "x": "3", "Content-Length": "0"}
    assert dict(request.args) == {"Room": "1", "room": "2", "x": "3"}


def test_a_request_says_which_character_set_its_body_has(scripts: Path) -> None:
    """What is compressed arrives unpacked; what a character set makes of the bytes is the script's to know."""
    script = load(scripts / "rawhttp_json")
    body = Body(gzip.compress("ä".encode("utf-16")), "text/plain", "utf-16, gzip")
    request: Any = script.decode(body)
    (request,) = request.values() if isinstance(request, dict) else (request,)
    assert (request.data.decode(request.content_encoding), request.headers["Content-Encoding"]) == ("ä", "utf-16")
    assert AMLRequest(b"x").content_encoding is None
    told = AMLRequest(b"a=1", "", {"content-type": "application/x-www-form-urlencoded"})
    assert (told.mimetype, told.form["a"]) == ("application/x-www-form-urlencoded", "1")


NO_MESSAGES = [
    5,
    0.5,
    True,
    [1, 2],
    [{"a": 1}],
    {1, 2},
    range(3),
    object(),
    ValueError("x"),
    np.array([1, 2]),
    np.float32(1),
    pd.DataFrame({"a": [1]}),
    pd.Series(["a"]),
]


@pytest.mark.parametrize("message", NO_MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_neither_text_nor_bytes_is_refused(message: object) -> None:
    """Azure ML's server fails too, or sends the memory of an array; whoever made the response is the same."""
    with pytest.raises(TypeError, match=r"a response cannot be made of .*json\.dumps\(…\), or return the value itself"):
        AMLResponse(message)
    flasks = Response()
    flasks.response = message
    with pytest.raises(TypeError, match="a response cannot be made of"):
        encoded(flasks, ResultOptions())


def test_a_response_is_closed_once_it_is_bytes(caplog: pytest.LogCaptureFixture) -> None:
    """What it was made of, and what it is to call; what fails there does not take back what leaves."""
    done: list[str] = []
    file = io.BytesIO(b"a")
    response = AMLResponse(file)
    response.call_on_close(lambda: done.append("called"))
    assert not file.closed
    assert encoded(response, ResultOptions())[0].body == b"a"
    assert (file.closed, done) == (True, ["called"])
    flasks = Response(io.BytesIO(b"b"), direct_passthrough=True)
    flasks.call_on_close(lambda: 1 / 0)
    assert encoded(flasks, ResultOptions())[0].body == b"b"
    assert "could not be closed: ZeroDivisionError" in caplog.text
    refused(AMLResponse(held := io.BytesIO(b"no"), 500))
    assert held.closed
    wrong = Response([1], 200)  # type: ignore[list-item]
    wrong.call_on_close(lambda: done.append("refused"))
    with pytest.raises(TypeError, match="chunks of type int"):
        encoded(wrong, ResultOptions())
    assert done == ["called", "refused"]


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"Content-Type": "text/plain"}, ("text/plain", "utf-8")),
        ({"Content-Type": "text/plain; charset=utf-16"}, ("text/plain; charset=utf-16", "utf-16")),
        ({"content-type": "text/csv; charset=ISO-8859-1"}, ("text/csv; charset=ISO-8859-1", "iso-8859-1")),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, ("application/json", "gzip")),
        ({"Content-Type": "image/png"}, ("image/png", "")),
    ],
)
@pytest.mark.parametrize("kind", [AMLResponse, Response])
def test_the_encoding_that_leaves_is_what_the_response_says(
    kind: type, headers: dict[str, str], left: tuple[str, str]
) -> None:
    """Whose response it is, and in which capitals its headers are."""
    (leaving,) = encoded(kind(b"\xff\xfe", 200, headers), ResultOptions())
    assert (leaving.content_type, leaving.content_encoding) == left


def test_what_only_looks_like_a_response_is_none() -> None:
    """A Mock has whatever it is asked for."""
    with pytest.raises(ScoringError, match="type MagicMock has no JSON form"):
        encoded(MagicMock(), ResultOptions())


@pytest.mark.parametrize("text", [None, b"text/csv", 5, ["text/csv"]])
def test_a_header_that_is_no_text_is_refused(text: Any) -> None:
    """It would leave as what Python calls it."""
    with pytest.raises(TypeError, match="the header Content-Type of a response is no text"):
        AMLResponse("x", 200, {"Content-Type": text})
