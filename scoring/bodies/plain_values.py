"""What a script returned, as a JSON body: numpy, pandas, dates, bytes, decimals and whatever else has a plain form."""

import datetime
import decimal
import enum
import json
import math
import re
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import orjson

from ..errors import RunError, ScoringError
from ..predictions import Nothing, Prediction

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
"""A subclass of dict may hold something else than its storage: werkzeug's keep lists there, or nothing."""

MOST_NESTED = 254
"""Arrays and objects inside of each other at most: orjson's own bound."""

_DATE = re.compile(rb'"\d{4}-\d\d-\d\dT')
_WIDEST = 8
"""Bytes of a number that JSON's readers take."""

_OF_A_LIBRARY = 2
"""What NumPy says of a dtype that another library has added, such as ml_dtypes' float8_e5m2."""

_MOST_DIGITS = 4300
"""Digits of a whole number at most: Python's own bound, since writing them out takes time quadratic in it."""

_FLOATS = frozenset((float, np.float16, np.float32, np.float64))
_WHOLE = frozenset((np.bool_, *(np.dtype(code).type for code in "bhilqBHILQ")))
_LEAVES = _FLOATS | _WHOLE | {type(None), bool, datetime.datetime, datetime.date, uuid.UUID}
"""What orjson writes by itself and right."""

_HOLDERS, _TEXTS, _NUMBERS = frozenset((dict, list, tuple)), frozenset((str,)), frozenset((int,))


class HoldsPredictionError(RunError):
    """A value holds a Prediction or NOTHING, which say where something leaves and are no values themselves."""


def encode(value: object, *, reject_nan: bool = False) -> bytes:
    """Give a value as a JSON body; NaN and infinities become null.

    All is written by orjson, also what has to be unfolded for it: a value has the same bytes whatever stands beside it.

    Raises:
        ScoringError: JSON has no form for it, or it holds a NaN or an infinity and those are to be rejected.
    """
    try:
        body = _dumped(value)
        if b"T" in body and _DATE.search(body):  # perhaps numpy's, of which orjson gives NaT as a date and cuts others
            body = orjson.dumps(value, option=_OPTIONS & ~orjson.OPT_SERIALIZE_NUMPY, default=_known)
        if not (reject_nan and b"null" in body):
            return body
    except TypeError as error:
        if isinstance(error.__cause__, HoldsPredictionError):
            raise error.__cause__ from None
        if (numbered := _numbered(value)) and not (reject_nan and b"null" in numbered):
            return numbered
    try:
        return _dumped(_unfolded(value, _LEAVES - _FLOATS if reject_nan else _LEAVES))
    except (TypeError, ValueError) as error:
        raise ScoringError(f"the prediction cannot be sent as JSON: {error}") from error
    except RecursionError as error:
        sentence = f"it is nested deeper than {MOST_NESTED} levels, or holds itself"
        raise ScoringError(f"the prediction cannot be sent as JSON: {sentence}") from error


def frame_records(value: object) -> list[object] | None:
    """Give a data frame as its rows, each a dict; None if the value is no data frame."""
    to_dict = getattr(value, "to_dict", None)
    if to_dict is None or not hasattr(value, "columns") or not hasattr(value, "iloc"):
        return None
    if not getattr(value.columns, "is_unique", True):
        raise RunError("a data frame has two columns of one name: one of them would be lost")
    records = to_dict(orient="records")
    return records if isinstance(records, list) else None


def _known(value: Any) -> object:
    """Give an encoder a form of a value that it does not know by itself."""
    if isinstance(value, Prediction | Nothing):
        inside = "NOTHING" if isinstance(value, Nothing) else "a Prediction"
        raise HoldsPredictionError(f"{inside} lies inside of a value: give it by itself or in a list of predictions")
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value) if not each.name.startswith("_")}
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    if (records := frame_records(value)) is not None:
        return records
    if hasattr(value, "tolist") and not hasattr(plain := value.tolist(), "tolist"):
        return plain
    if type(value).__name__ == "NAType":  # pandas.NA
        return None
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _dumped(value: object) -> bytes:
    return orjson.dumps(value, option=_OPTIONS, default=_known)


def _numbered(value: object) -> bytes:
    """Give a value whose keys may be whole numbers; empty if it has to be unfolded, as where keys may be one text."""
    try:
        body = orjson.dumps(value, option=_OPTIONS | orjson.OPT_NON_STR_KEYS, default=_known_apart)
        return body if _are_apart(value) and not (b"T" in body and _DATE.search(body)) else b""
    except TypeError:
        return b""


def _known_apart(value: Any) -> object:
    if _are_apart(form := _known(value)):
        return form
    raise TypeError


def _are_apart(value: Any) -> bool:
    """Say whether the keys of each object are all texts or all whole numbers: no two are the same text then."""
    if (kind := type(value)) not in _HOLDERS:
        return True
    if kind is dict and not (_TEXTS.issuperset(kinds := set(map(type, value))) or _NUMBERS.issuperset(kinds)):
        return False
    inside = value.values() if kind is dict else value
    return _HOLDERS.isdisjoint(map(type, inside)) or all(map(_are_apart, inside))


def _unfolded(value: Any, leaves: frozenset[type], depth: int = 0) -> Any:
    """Give a value as lists, dicts with keys of text, and leaves.

    Args:
        value: whatever a script gave.
        leaves: types of values that stay as they are; without _FLOATS, NaN is rejected.
        depth: arrays and objects around it.
    """
    kind = type(value)
    if kind is dict or kind is list or kind is tuple:
        if depth >= MOST_NESTED:
            raise RecursionError
        inside = value.values() if kind is dict else value
        unfolded = [each if type(each) in leaves else _unfolded(each, leaves, depth + 1) for each in inside]
        return _object(list(value), unfolded, leaves) if kind is dict else unfolded
    if kind in (str, int, float, orjson.Fragment):
        return _leaf(value, leaves)
    return value if kind in leaves else _unfolded(_known(value), leaves, depth)


def _leaf(value: Any, leaves: frozenset[type]) -> Any:
    """Give a text, a number, or numbers of numpy that are JSON already."""
    if isinstance(value, str):
        return value if _is_utf8(value) else orjson.Fragment(json.dumps(value))
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else orjson.Fragment(str(value))
    is_nan = not math.isfinite(value) if isinstance(value, float) else b"null" in orjson.dumps(value)
    if is_nan and float not in leaves:
        raise ScoringError("the prediction holds NaN or an infinity, and SCORING_NAN is reject")
    return value


def _is_utf8(text: str) -> bool:
    with suppress(UnicodeEncodeError):
        return text.isascii() or bool(text.encode())
    return False


def _object(keys: list[Any], values: list[Any], leaves: frozenset[type]) -> Any:
    names = [key if type(key) is str else str(key) if type(key) is int else _name(key, leaves) for key in keys]
    plain = dict(zip(names, values, strict=True))
    if len(plain) < len(names):
        name = Counter(names).most_common(1)[0][0]
        raise RunError(f"two keys of an object are {name[:100]!r} as texts: one of them would be lost")
    if _is_utf8("".join(plain)):
        return plain
    pairs = [json.dumps(name).encode() + b":" + _dumped(value) for name, value in plain.items()]
    return orjson.Fragment(b"{" + b",".join(pairs) + b"}")


def _name(key: object, leaves: frozenset[type]) -> str:
    """Give a key as text, NaN and infinities as Python's own writer does."""
    plain = str.__str__(key) if isinstance(key, str) else _unfolded(key, leaves)
    if isinstance(plain, dict | list | np.ndarray):
        raise TypeError(f"a key of type {type(key).__name__} has no JSON form")
    if isinstance(plain, float | np.floating) and not np.isfinite(plain):
        return json.dumps(float(plain))
    return plain if isinstance(plain, str) else _dumped(plain).decode().strip('"')


def text_or_base64(data: bytes | bytearray) -> str:
    """Give bytes as the text that they are, else in base64."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return b64encode(data).decode()


def _number(value: decimal.Decimal) -> int | float:
    is_whole = value.is_finite() and value.adjusted() < _MOST_DIGITS and value == value.to_integral_value()
    return int(value) if is_whole else float(value)


def _array(value: Any) -> object:
    """Give an array as the JSON that it is, or as what its entries are."""
    kind = value.dtype.kind
    if value.dtype.names:
        row = value if value.ndim or isinstance(value, np.ma.core.mvoid) else value[()]
        return list(row) if row.ndim else _record(row)
    is_masked = isinstance(value, np.ma.MaskedArray)
    if kind not in "biufMm" or value.dtype.isbuiltin == _OF_A_LIBRARY or (is_masked and not value.ndim):
        return value.tolist()
    if not value.ndim:
        return value[()]
    if kind in "Mm" or is_masked:
        return list(value) if is_masked or kind == "m" else _dates(value)
    dtype = value.dtype.newbyteorder("=") if value.dtype.itemsize <= _WIDEST else np.float64
    return _fragment(np.ascontiguousarray(value, dtype))


def _record(row: Any) -> dict[str, object]:
    return dict(zip(row.dtype.names, row, strict=True))


def _fragment(numbers: Any) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY))


def _dates(value: Any) -> Any:
    """Give numpy's dates as orjson would write them, were it not that it gives NaT as a date and cuts nanoseconds."""
    unit = np.datetime_data(value.dtype)[0]
    if unit in ("s", "ms", "us") and not np.isnat(value).any():
        with suppress(TypeError):
            return _fragment(value)
    is_coarse = unit in ("Y", "M", "W", "D", "h", "m")
    return _dates_of(np.datetime_as_string(value.astype("M8[s]") if is_coarse else value).tolist())


def _dates_of(texts: Any) -> Any:
    if isinstance(texts, list):
        return [_dates_of(text) for text in texts]
    seconds, _, fraction = texts.partition(".")
    if digits := len(fraction.rstrip("0")):
        return f"{seconds}.{fraction[: max(digits, 6)]:0<6}"
    return None if texts == "NaT" else seconds


def _date(value: datetime.datetime | datetime.date | datetime.time) -> str | None:
    return None if value != value else value.isoformat()  # noqa: PLR0124 - pandas' NaT is no equal of itself


_FORMS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    (enum.Enum, lambda value: value.value),
    (bytes | bytearray | memoryview, lambda value: text_or_base64(bytes(value))),
    (datetime.datetime | datetime.date | datetime.time, _date),
    (decimal.Decimal, _number),
    (datetime.timedelta, datetime.timedelta.total_seconds),
    (np.datetime64, _dates),
    (np.timedelta64, lambda value: None if np.isnat(value) else float(value / np.timedelta64(1, "s"))),
    (np.longdouble, float),
    (np.integer | np.floating | np.bool_, _fragment),
    (np.ndarray, _array),
    (np.void, lambda value: _record(value) if value.dtype.names else value.tolist()),
    (uuid.UUID | PurePath | BaseException, str),
    (Mapping, lambda value: dict(value.items())),
    (list | tuple, list),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
"""What orjson does not know, and what it becomes."""
