"""Values ↔ tensors: checked, in the model's type, with errors that name the field."""

import re
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.errors import ModelError, RequestError
from scoring.onnx.model_inputs import value_of
from scoring.onnx.specs import TensorSpec, spec_of
from scoring.onnx.tensors import shape_of, stack, whole

KINDS = (
    "float",
    "double",
    "float16",
    "bfloat16",
    "float8e5m2",
    "int4",
    "int8",
    "int64",
    "uint8",
    "uint64",
    "bool",
    "string",
)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | st.text(max_size=3) | st.lists(numbers, max_size=3)


def spec(kind: str, *shape: int | str) -> TensorSpec:
    return spec_of("x", f"tensor({kind})", shape)


@pytest.mark.parametrize("shape", [("N", 3), (None, 3), (-1, 3)])
def test_a_first_dimension_of_any_size_is_a_batch_axis(shape: Sequence[int | str | None]) -> None:
    """However a model writes it down."""
    described = spec_of("x", "tensor(float)", shape)
    assert described == TensorSpec("x", np.dtype(np.float32), (None, 3))
    assert described.has_batch_axis


@pytest.mark.parametrize("shape", [(), (1, "N"), (3,), (0, 3)])
def test_no_other_dimension_is(shape: tuple[int | str, ...]) -> None:
    """A fixed first dimension cannot be stacked along, a single value has none."""
    assert not spec("float", *shape).has_batch_axis


def test_a_type_that_no_message_holds_is_a_model_error() -> None:
    """Said at start, naming the input or output."""
    for kind in ("tensor(complex64)", "sparse_tensor(float)", "seq(tensor(bfloat16))"):
        with pytest.raises(ModelError, match=re.escape(f"the model's y has the type {kind}, which has no place")):
            spec_of("y", kind, [])


def test_a_type_of_ml_dtypes_without_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, at start."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ModelError, match=r"x has the type int4: pip install 'iotedge-scoring-module\[types\]'"):
        spec("int4", "N")


def test_a_request_holds_a_field_or_is_the_value_itself() -> None:
    """By name; unknown fields are ignored; the bare value only where there is one input."""
    x = spec("float", "N")
    assert value_of({"x": 1, "other": 2}, x, only_input=False) == 1
    assert value_of([1, 2], x, only_input=True) == [1, 2]
    with pytest.raises(RequestError, match=r"the field x is missing \(there: other, y\)"):
        value_of({"y": 1, "other": 2}, x, only_input=True)
    with pytest.raises(RequestError, match="the field x is missing: expected an object"):
        value_of([1, 2], x, only_input=False)


@pytest.mark.parametrize(
    ("kind", "shape", "bad", "sentence"),
    [
        ("float", ("N", 3), [1, 2], "x has the shape 2: expected 3"),
        ("float", ("N", 3), 1, "x has the shape a single value: expected 3"),
        ("float", ("N",), [1], "x has the shape 1: expected a single value"),
        ("float", ("N", 2, "L"), [[1, 2]], "x has the shape 1×2: expected 2×any"),
        ("float", ("N", 2), [1, [2]], "x is ragged"),
        (
            "float",
            ("N", 20, 4),
            [1] * 4,
            "x has the shape 4: expected 20×4 (the rows of an array are requests of their own: if all are one, send {",
        ),
        ("float", ("N", 20, 4), [1] * 3, "x has the shape 3: expected 20×4"),
        ("float", ("N", 2), ["1", "2"], "x holds texts: expected numbers"),
        ("float", ("N", 2), [1, None], "x holds null: expected numbers"),
        ("float", ("N", 2), [1, {}], "x holds a value of type dict: expected numbers"),
        ("float", ("N",), 1e39, "x holds a number that is no float32"),
        ("float16", ("N",), 70_000, "x holds a number that is no float16"),
        ("int64", ("N",), 1.5, "x holds a number that is no int64"),
        ("int8", ("N",), 128, "x holds a number that is no int8"),
        ("uint8", ("N",), -1, "x holds a number that is no uint8"),
        ("bool", ("N",), 1, "x holds whole numbers: expected true or false"),
        ("float", ("N", 2), b"abc", "x has 3 bytes: float32 takes 4 each"),
        ("float", ("N", 2), b"abcd", "x has the shape 1: expected 2"),
        ("int4", ("N",), 8, "x holds a number that is no int4"),
        ("uint2", ("N",), -1, "x holds a number that is no uint2"),
        ("bfloat16", ("N",), "1", "x holds texts: expected numbers"),
        ("float8e4m3fn", ("N",), 1e9, "x holds a number that is no float8_e4m3fn"),
        ("float", ("N", 1), None, "x holds null: expected numbers"),
        ("int64", ("N",), int("9" * 40), "x holds a number that is no int64"),
        ("uint64", ("N", 2), [2**64, 1], "x holds a number that is no uint64"),
        ("uint64", ("N", 2), [2.0**64, 1], "x holds a number that is no uint64"),
        ("int64", ("N", 2), [2**53 + 1, 1.5], "x holds a number that is no int64"),
        ("int64", ("N", 2), [2**63, 1.0], "x holds a number that is no int64"),
        ("int64", ("N", 2), [2.0**53, 1], "x holds 9007199254740992.0, which may have been rounded: write whole"),
        ("bool", ("N", 2), b"\2\1", "x has a byte that is neither 0 nor 1: expected true or false"),
        ("string", ("N",), b"a", "x holds a value of type bytes: expected texts"),
        ("string", ("N",), 1, "x holds a value of type int: expected texts"),
        ("string", ("N", 2), ["a", None], "x holds null: expected texts"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    kind: str, shape: tuple[int | str, ...], bad: object, sentence: str
) -> None:
    """The sentence names the field, what came and what was expected."""
    with pytest.raises(RequestError) as raised:
        stack([bad], spec(kind, *shape))
    assert str(raised.value).startswith(f"the field {sentence}")


@given(st.sampled_from(KINDS), st.lists(values, min_size=1, max_size=6))
@example("int64", [2**53 + 1, 1.0])
@example("string", ["a", 1])
@example("string", ["a", "b\0"])
def test_a_value_is_what_it_is_alone(kind: str, given_: list[object]) -> None:
    """Batching changes nothing: beside others a value becomes what it becomes alone, or the batch is refused."""
    described = spec(kind, "N")
    try:
        together = stack(given_, described)
    except RequestError:
        return  # bisected: each is tried alone in the end
    alone = [stack([value], described) for value in given_]
    assert together.tolist() == np.concatenate(alone).tolist()


@given(st.sampled_from(("int8", "int64", "uint8", "uint64")), numbers)
def test_whole_numbers_are_never_changed(kind: str, number: float) -> None:
    """Neither cut, wrapped around nor rounded."""
    try:
        assert stack([number], spec(kind, "N"))[0] == number
    except RequestError:
        bounds = np.iinfo(kind)
        assert number != int(number) or not bounds.min <= number <= bounds.max or number >= 2**53 or number <= -(2**53)


def test_texts_stay_texts() -> None:
    """Also one that ends in a zero character, which numpy's own text type would cut off."""
    assert stack(["a\0", "", "ä"], spec("string", "N")).tolist() == ["a\0", "", "ä"]


def test_an_empty_row_keeps_the_type() -> None:
    """A free dimension may be 0."""
    assert stack([[]], spec("int64", "N", "L")).dtype == np.int64


def test_whole_numbers_of_64_bits_stand_beside_small_ones() -> None:
    """Where numpy would make both floats."""
    values = [[2**64 - 1, 1], [2**63, 0]]
    assert stack(values, spec("uint64", "N", 2)).tolist() == values
    assert whole(values, spec("uint64", 2, 2)).tolist() == values
    beside_a_float = [[7.0, 2**53 + 1], [-(2**63), 0.0]]
    assert stack(beside_a_float, spec("int64", "N", 2)).tolist() == beside_a_float


def test_nothing_is_a_list_of_rows_too() -> None:
    """Without their dimensions, as JSON has no others."""
    assert stack([[], []], spec("float", "N", "A", 6)).shape == (2, 0, 6)
    with pytest.raises(RequestError, match="the shape 0: expected 3×6"):
        stack([[]], spec("float", "N", 3, 6))


def test_a_whole_tensor_gets_its_leading_one() -> None:
    """Without a batch axis a request is the whole tensor; the 1 in front may be left out."""
    x = spec("float", 1, 2)
    assert whole([3, 4], x).tolist() == whole([[3, 4]], x).tolist() == [[3, 4]]
    assert whole(3, spec("float")).shape == ()
    with pytest.raises(RequestError, match="x has the shape 1×3: expected 1×2"):
        whole([1, 2, 3], x)
    with pytest.raises(RequestError, match="x has the shape 2: expected 2×2"):
        whole([1, 2], spec("float", 2, 2))


def test_what_a_message_leaves_out_is_added() -> None:
    """Ones around a single value; the sizes that an empty list does not show."""
    assert whole(5, spec("float", 1, 1, 1)).shape == (1, 1, 1)
    assert whole([], spec("float", 0, 3)).shape == (0, 3)
    assert whole([[], []], spec("float", 2, 0, 4)).shape == (2, 0, 4)
    assert whole([], spec("float", 1, "N")).shape == (1, 0)
    with pytest.raises(RequestError, match="x has the shape a single value: expected 1×2"):
        whole(5, spec("float", 1, 2))


def test_a_shape_that_the_model_does_not_say_is_not_checked() -> None:
    """ONNX Runtime gives () for a single value and where nothing is known: it checks itself."""
    assert whole([[1, 2]], spec("float")).shape == (1, 2)


def test_bytes_are_the_elements_of_a_tensor() -> None:
    """In the model's type, little-endian; one free dimension is worked out."""
    pixels = bytes(range(12))
    assert stack([pixels, pixels], spec("uint8", "N", "H", 2, 3)).shape == (2, 2, 2, 3)
    assert whole(np.array([1.5, 2], "<f4").tobytes(), spec("float", 1, 2)).tolist() == [[1.5, 2]]


def test_a_text_among_numbers_costs_no_memory() -> None:
    """For numpy's own text type each of 50,000 numbers would be as long as the text: 20 GB."""
    with pytest.raises(RequestError, match="x holds texts: expected numbers"):
        stack([["a" * 100_000, *range(50_000)]], spec("float", "N", "L"))
    deep: object = "a"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(RequestError):
        stack([deep], spec("float", "N"))


def test_a_shape_is_that_of_the_first_entries() -> None:
    """Requests are grouped by it; a ragged one is found out later."""
    assert shape_of([[1, 2], [3]]) == (2, 2)
    assert shape_of([]) == (0,)
    assert shape_of(b"abc") == (3,)
    assert shape_of([np.zeros((2, 3))]) == (1, 2, 3)
    assert shape_of(1) == shape_of("text") == ()


@pytest.mark.parametrize(
    ("kind", "shape", "sentence"),
    [
        ("tensor(float)", ("N", 3), "array 3 of number (float32)"),
        ("tensor(int64)", ("N",), "whole number (int64)"),
        ("tensor(string)", ("N", "L", 2), "array any×2 of text (str)"),
        ("tensor(int4)", ("N", 2), "array 2 of whole number (int4)"),
        ("seq(tensor(float))", (), "a list of arrays of number (float32)"),
        ("map(string,tensor(float))", (), "an object of number (float32) by name"),
        ("seq(map(int64,tensor(float)))", (), "an object of number (float32) by whole number"),
    ],
)
def test_what_a_message_holds_is_said_in_words(kind: str, shape: tuple[int | str, ...], sentence: str) -> None:
    """For check and for errors."""
    assert spec_of("x", kind, shape).describe(row=True) == sentence
