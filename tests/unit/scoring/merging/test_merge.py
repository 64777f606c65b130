"""Several requests as one, and its result as several."""

import json

import numpy as np
import pytest

from scoring.merging.request_merge import merge, mergeable, split

SAMPLES = [json.dumps({"data": [[n * 0.37, n % 5]]}) for n in range(8)]


def rows_of(text: object) -> list[list[float]]:
    """Give the rows of a request as the scripts below parse them."""
    assert isinstance(text, str)
    rows: list[list[float]] = json.loads(text)["data"]
    return rows


def row_wise(text: object) -> object:
    return json.dumps({"result": [sum(row) for row in rows_of(text)]})


def test_requests_of_one_shape_become_one_request_and_its_result_several() -> None:
    requests = [mergeable(sample) for sample in SAMPLES[:3]]
    merged = merge([request for request in requests if request])
    assert json.loads(str(merged))["data"] == [row for sample in SAMPLES[:3] for row in json.loads(sample)["data"]]
    assert split(row_wise(merged), 3, 1) == [row_wise(sample) for sample in SAMPLES[:3]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"data": [{"a": 1, "b": 2}]}', '{"data": [{"b": 2, "a": 1}]}'),
        ('{"data": [[1]], "a": 1, "b": 2}', '{"data": [[1]], "b": 2, "a": 1}'),
        ('{"data": [{"a": {"b": 1, "c": 2}}]}', '{"data": [{"a": {"c": 1, "b": 2}}]}'),
        ('{"data": [{"a:str,b": "x"}]}', '{"data": [{"a": "x", "b": "x"}]}'),
    ],
)
def test_the_order_of_keys_is_part_of_the_shape(one: str, other: str) -> None:
    """A data frame of several rows has the columns of the first in its order."""
    first, second = mergeable(one), mergeable(other)
    assert first is not None
    assert second is not None
    assert first.shape != second.shape


@pytest.mark.parametrize(
    "other",
    [
        '{"data": [[1, 2, 3]]}',
        '{"data": [[1, 2], [3, 4]]}',
        '{"data": [["1", 2]]}',
        '{"data": [[1, 2]], "method": "proba"}',
        '{"rows": [[1, 2]]}',
        "[[1, 2]]",
    ],
)
def test_requests_that_differ_in_more_than_their_values_have_different_shapes(other: str) -> None:
    one, two = mergeable('{"data": [[1, 2]]}'), mergeable(other)
    assert one is not None
    assert two is not None
    assert one.shape != two.shape


@pytest.mark.parametrize("text", ["", "{", "5", '{"a": 1}', '{"a": [1, 2]}', '{"a": [[1]], "b": [[2]]}', "[]"])
def test_what_holds_no_rows_or_two_kinds_of_them_is_not_merged(text: str) -> None:
    assert mergeable(text) is None


@pytest.mark.parametrize("result", [None, 5, "text", [1, 2], {"a": 1}, {"a": [1, 2, 3], "b": [1]}, '{"a": [1]}'])
def test_a_result_without_an_entry_a_row_cannot_be_split(result: object) -> None:
    assert split(result, 3, 1) is None


def test_arrays_are_cut_into_arrays_so_that_their_type_stays() -> None:
    parts = split(np.arange(6, dtype=np.float32).reshape(6, 1), 3, 2)
    assert parts is not None
    assert all(isinstance(part, np.ndarray) and part.dtype == np.float32 and part.shape == (2, 1) for part in parts)
