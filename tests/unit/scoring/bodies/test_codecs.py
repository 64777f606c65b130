"""Body ↔ request and prediction."""

import math
from contextlib import suppress

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.bodies.codecs import Body, decode_json, decode_text, rows_of
from scoring.bodies.plain_values import encode
from scoring.errors import RequestError, ScoringError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.binary() | st.text().map(str.encode) | values.map(repr).map(lambda text: text.encode("utf-8", "replace")))
def test_decoding_raises_nothing_but_a_request_error(body: bytes) -> None:
    """Whatever a device sends, only its own message is refused."""
    for decode in (decode_json, decode_text):
        with suppress(RequestError):
            decode(Body(body))


@given(st.text(alphabet="aäё漢😀", max_size=20))
def test_the_reason_names_the_byte_not_the_character(text: str) -> None:
    """An offset that a hex editor shows too."""
    good = f'{{"{text}": '.encode()
    with pytest.raises(RequestError, match=rf"at byte {len(good)}$"):
        decode_json(Body(good + b"x}"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is empty: expected a JSON value at byte 0"),
        (b" \n", "the body is empty: expected a JSON value at byte 0"),
        (b'{"a": "\xff"}', "the body is not UTF-8: invalid start byte at byte 7"),
        (b'{"a": 1,}', "the body is not JSON: trailing comma is not allowed at byte 7"),
        (b"[" * 5000, "the body is not JSON: depth limit exceeded"),
        (b"NaN", "the body is not JSON"),
        (rb'"\ud800"', "the body is not JSON"),
    ],
)
def test_bad_bodies(body: bytes, sentence: str) -> None:
    """One sentence that says what is wrong and where."""
    with pytest.raises(RequestError) as raised:
        decode_json(Body(body))
    assert str(raised.value).startswith(sentence)


def test_text_that_is_not_utf_8_names_the_byte() -> None:
    """A script that parses its body itself is never called with one that is no text."""
    assert decode_text(Body("7 µm".encode())) == "7 µm"
    with pytest.raises(RequestError, match="not UTF-8: unexpected end of data at byte 2"):
        decode_text(Body(b"ab\xc2"))


@given(values)
def test_json_comes_back_as_it_went(value: object) -> None:
    """Encoding is the inverse of decoding."""
    assert decode_json(Body(encode(value))) == value


@given(st.lists(st.dictionaries(st.text(), scalars, max_size=2) | st.lists(scalars, max_size=2), min_size=1))
def test_an_array_of_objects_or_of_arrays_is_rows(value: list[object]) -> None:
    """Each a request of its own, in order."""
    assert rows_of(value) == value


@given(scalars | st.dictionaries(st.text(), values) | st.lists(scalars) | st.lists(values).map(lambda v: [1.5, *v]))
def test_anything_else_is_one_request(value: object) -> None:
    """An array of scalars, an object, an empty array, a mixture."""
    assert rows_of(value) is None


@pytest.mark.parametrize(
    ("prediction", "body"),
    [
        (np.float32(1.5), b"1.5"),
        (np.arange(6).reshape(2, 3)[:, ::2], b"[[0,2],[3,5]]"),
        (np.array("text"), b'"text"'),
        (np.array([1, None], dtype=object), b"[1,null]"),
        ({"y": np.bool_(True), 2: (1, 2)}, b'{"y":true,"2":[1,2]}'),
        ([math.nan, np.inf], b"[null,null]"),
    ],
)
def test_numpy_and_odd_numbers_become_json(prediction: object, body: bytes) -> None:
    """A script may give what numpy gave it; NaN is not JSON."""
    assert encode(prediction) == body
    orjson.loads(body)


@pytest.mark.parametrize("prediction", [{1, 2}, object(), {b"": {1: 1j}}, 1j])
def test_what_json_has_no_form_for_is_a_scoring_error(prediction: object) -> None:
    """Not a crash: it is answered on the errors output."""
    with pytest.raises(ScoringError, match="the prediction cannot be sent as JSON"):
        encode({"y": prediction})
