"""What a script returned as JSON: one form for each value, wherever it stands."""

import datetime
import enum
import json
import types
import uuid
from collections import UserDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import MagicMock

import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from scoring.bodies.plain_values import MOST_NESTED, encode
from scoring.errors import ScoringError


@dataclass
class Holder:
    x: Any
    _private: int = 0


class Grade(enum.StrEnum):
    GOOD = "good"


class Text(str):
    __slots__ = ()


Pair = namedtuple("Pair", "x")
NS = "2020-01-01T00:00:00.123456789"

VALUES: list[tuple[Any, bytes]] = [
    (np.datetime64("NaT"), b"null"),
    (np.datetime64("NaT", "ns"), b"null"),
    (np.array(["NaT", NS], "M8[ns]"), b'[null,"%b"]' % NS.encode()),
    (np.array([["NaT", "2020-01-01"]], "M8[D]"), b'[[null,"2020-01-01T00:00:00"]]'),
    (np.datetime64(NS), b'"%b"' % NS.encode()),
    (np.datetime64("2020-01-01"), b'"2020-01-01T00:00:00"'),
    (np.datetime64("2020-01-01T00:00:00.5"), b'"2020-01-01T00:00:00.500000"'),
    (np.array(["2020-01-01T00:00:00.5", "NaT"], "M8[ms]"), b'["2020-01-01T00:00:00.500000",null]'),
    (np.array("2020-01-01", "M8[D]"), b'"2020-01-01T00:00:00"'),
    (np.datetime64("10000-01-01", "s"), b'"10000-01-01T00:00:00"'),
    (np.array([90, "NaT"], "m8[s]"), b"[90.0,null]"),
    (pd.Timestamp(NS), b'"%b"' % NS.encode()),
    (pd.NaT, b"null"),
    (pd.DataFrame({"t": [pd.Timestamp(NS), pd.NaT]}), b'[{"t":"%b"},{"t":null}]' % NS.encode()),
    (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), b'"2020-01-01T00:00:00+00:00"'),
    (datetime.time(1, tzinfo=datetime.UTC), b'"01:00:00+00:00"'),
    (np.float32(0.1), b"0.1"),
    (np.float16(0.1), b"0.099975586"),
    (np.longdouble("0.5"), b"0.5"),
    (np.array([0.5], "g"), b"[0.5]"),
    (np.array([0.1, 0.2], "f4"), b"[0.1,0.2]"),
    (np.array([0.1, 0.2], "f4")[::-1], b"[0.2,0.1]"),
    (np.array([0.1, 0.2], ">f4"), b"[0.1,0.2]"),
    (np.array(0.1, "f4"), b"0.1"),
    (np.array([np.float32(0.1), "a", None, 2**70], object), b'[0.1,"a",null,%d]' % 2**70),
    (np.ma.array([1.5, 2.5], mask=[False, True]), b"[1.5,null]"),
    (np.ma.array([[0.1, 2.5]], "f4", mask=[[False, True]]), b"[[0.1,null]]"),
    (np.ma.array([NS, "2020"], "M8[ns]", mask=[False, True]), b'["%b",null]' % NS.encode()),
    (np.ma.masked, b"null"),
    (np.array([(1, 0.5)], [("a", "i4"), ("b", "f8")]), b'[{"a":1,"b":0.5}]'),
    (np.array([[(1, 0.5)]], [("a", "i4"), ("b", "f8")]), b'[[{"a":1,"b":0.5}]]'),
    (np.array([((1, 2), 0.5)], [("a", [("x", "i4"), ("y", "i4")]), ("b", "f8")])[0], b'{"a":{"x":1,"y":2},"b":0.5}'),
    (np.array((NS, 1), [("a", "M8[ns]"), ("b", "i4")]), b'{"a":"%b","b":1}' % NS.encode()),
    (np.ma.array([(1, 0.5)], [("a", "i4"), ("b", "f8")], mask=[(True, False)])[0], b'{"a":null,"b":0.5}'),
    (np.array([[1.5, 2.0]], ml_dtypes.float8_e5m2), b"[[1.5,2.0]]"),
    (np.array([1.5, 2.0], ml_dtypes.bfloat16), b"[1.5,2.0]"),
    (np.zeros((2, 0)), b"[[],[]]"),
    ([1e16, 1e-7, 5e-324, 1e22], b"[1e+16,1e-7,5e-324,1e+22]"),
    (2**70, b"%d" % 2**70),
    (-(2**63) - 1, b"%d" % (-(2**63) - 1)),
    (Decimal("0.1"), b"0.1"),
    (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (Grade.GOOD, b'"good"'),
    (Holder(1), b'{"x":1}'),
    (Pair(1), b"[1]"),
    ("\ud800", b'"\\ud800"'),
    ({"\ud800": [2**70]}, b'{"\\ud800":[%d]}' % 2**70),
    ({1: "a", 2.5: "b", None: "c", False: "d", np.int64(7): "e", Text("t"): "f", b"g": "h"},
     b'{"1":"a","2.5":"b","null":"c","false":"d","7":"e","t":"f","g":"h"}'),
    ({0: 0.5, 1: {2: [{3: Holder({4: b"x"})}]}}, b'{"0":0.5,"1":{"2":[{"3":{"x":{"4":"x"}}}]}}'),
    (pd.DataFrame({"a": [1, 2]}).to_dict(), b'{"a":{"0":1,"1":2}}'),
    ({2**70: 1, np.float32(0.1): 2, Grade.GOOD: 3}, b'{"%d":1,"0.1":2,"good":3}' % 2**70),
    ({datetime.date(2020, 1, 1): 1, np.datetime64("2020", "Y"): 2}, b'{"2020-01-01":1,"2020-01-01T00:00:00":2}'),
]  # fmt: skip
"""What a script may give, and its only form."""

CONTAINERS: list[Callable[[Any], tuple[Any, bytes]]] = [
    lambda value: ([value], b"[%b]"),
    lambda value: ((1, {"a": value}), b'[1,{"a":%b}]'),
    lambda value: (Holder(value), b'{"x":%b}'),
    lambda value: (types.MappingProxyType({"x": value}), b'{"x":%b}'),
    lambda value: (UserDict(x=value), b'{"x":%b}'),
    lambda value: (Pair(Holder(value)), b'[{"x":%b}]'),
    lambda value: ([value, 2**70, 1.5], b"[%%b,%d,1.5]" % 2**70),
    lambda value: ([value, {1: "\ud800"}], b'[%b,{"1":"\\ud800"}]'),
    lambda value: ([value, np.datetime64("NaT", "D")], b"[%b,null]"),
    lambda value: ([value, "2020-01-01T00:00:00"], b'[%b,"2020-01-01T00:00:00"]'),
]


@pytest.mark.parametrize("reject_nan", [False, True])
@pytest.mark.parametrize(("value", "body"), VALUES, ids=[str(place) for place in range(len(VALUES))])
def test_a_value_has_the_same_bytes_wherever_it_stands(value: Any, body: bytes, reject_nan: bool) -> None:
    """By itself, in every container, beside whatever has to be written another way, with and without SCORING_NAN."""
    assert encode(value, reject_nan=reject_nan) == body
    for container in CONTAINERS:
        held, template = container(value)
        assert encode(held, reject_nan=reject_nan) == template % body
    cell = np.empty(1, object)
    cell[0] = value
    assert encode(cell, reject_nan=reject_nan) == b"[%b]" % body


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        np.float32("inf"),
        np.longdouble("nan"),
        np.array([1, np.nan], "f4"),
        np.array([1, np.nan])[::-1],
        pd.DataFrame({"a": [1.0, None]}),
        Decimal("NaN"),
        {float("nan"): 1},
        {np.float32("inf"): 1},
    ],
)
def test_nan_is_rejected_wherever_it_stands(value: Any) -> None:
    """As a key too; what is null for another reason is not meant."""
    for container in CONTAINERS:
        held, _ = container(value)
        assert json.loads(encode(container(None)[0], reject_nan=True)) is not None
        with pytest.raises(ScoringError, match="SCORING_NAN is reject"):
            encode(held, reject_nan=True)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({1: "a", "1": "b"}, "'1'"),
        ({b"a": 1, "a": 2}, "'a'"),
        ({None: 1, "null": 2}, "'null'"),
        ({datetime.date(2020, 1, 1): 1, "2020-01-01": 2}, "'2020-01-01'"),
        ({True: 1, "true": 2}, "'true'"),
        ({0: [{1: Holder({1: 1, "1": 2})}]}, "'1'"),
        ({0: UserDict({1: 1, "1": 2})}, "'1'"),
        ([Holder({float("nan"): 1, "NaN": 2})], "'NaN'"),
    ],
)
def test_keys_that_become_one_are_refused(value: Any, name: str) -> None:
    """One of the two would be lost, and nobody knows which."""
    with pytest.raises(ScoringError, match=f"two keys of an object are {name} as texts: one of them would be lost"):
        encode(value)


def test_keys_that_are_no_numbers_are_named_as_python_names_them() -> None:
    """Azure ML's server writes with Python's json: three keys that were all ``null`` here."""
    assert encode({float("nan"): 1, float("inf"): 2, None: 3}) == b'{"NaN":1,"Infinity":2,"null":3}'


@pytest.mark.parametrize("value", [MagicMock(), {"a": MagicMock()}, 1j, np.array([1j]), object(), {(1, 2): 3}])
def test_what_has_no_form_is_refused_by_its_type(value: Any) -> None:
    """And is not called nested, though some of these give themselves when they are asked for a list."""
    with pytest.raises(ScoringError, match=r"type (MagicMock|complex|object|tuple) has no JSON form"):
        encode(value)


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("inner", [1, 2**70, Holder(1)], ids=str)
def test_one_bound_on_nesting_whatever_is_inside(inner: Any) -> None:
    """The same, whichever way the value has to be written."""
    half = MOST_NESTED // 2 - isinstance(inner, Holder)
    assert encode(nested(half, inner)).count(b"[") == half
    with pytest.raises(ScoringError, match=f"it is nested deeper than {MOST_NESTED} levels, or holds itself"):
        encode(nested(half + 1, inner))
