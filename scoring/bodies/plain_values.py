"""What a script returned, as a JSON body: numpy, pandas, dates, bytes, decimals and whatever else has a plain form."""

import datetime
import decimal
import enum
import json
import math
import re
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import orjson

from ..errors import RunError, ScoringError
from ..predictions import Nothing, Prediction

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
"""A subclass of dict may hold something else than its storage: werkzeug's keep lists there, or nothing."""

_MOST_NESTED = 200
_DATE = re.compile(rb'"\d{4}-\d\d-\d\dT')
_MOST_DIGITS = 4300
"""Digits of a whole number at most: Python's own bound, since writing them out takes time quadratic in it."""


class HoldsPredictionError(RunError):
    """A value holds a Prediction or NOTHING, which say where something leaves and are no values themselves."""


def encode(value: object, *, reject_nan: bool = False) -> bytes:
    """Give a value as a JSON body; NaN and infinities become null.

    Raises:
        ScoringError: JSON has no form for it, or it holds a NaN or an infinity and those are to be rejected.
    """
    try:
        if reject_nan:
            plain = as_plain(value)
            if _null_for_nan(plain) != plain:
                raise ScoringError("the prediction holds NaN or an infinity, and SCORING_NAN is reject")
            value = plain
        body = orjson.dumps(value, option=_OPTIONS, default=_known)
        if b"T" in body and _DATE.search(body):
            body = orjson.dumps(_dated(value), option=_OPTIONS, default=_known)
        return body
    except TypeError as error:
        if isinstance(error.__cause__, HoldsPredictionError):
            raise error.__cause__ from None
        return _slowly(value)
    except RecursionError as error:
        raise ScoringError("the prediction cannot be sent as JSON: it is nested too deep") from error


def as_plain(value: object, depth: int = 0) -> Any:
    """Give a value as Python's own dicts, lists, texts and numbers, all through.

    Raises:
        TypeError: it has no such form.
        RecursionError: it is nested too deep, or holds itself.
    """
    if depth > _MOST_NESTED:
        raise RecursionError
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {_key(key): as_plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(inner, depth + 1) for inner in value]
    for kind, form in _FORMS_OF_OUR_OWN:
        if isinstance(value, kind):
            return as_plain(form(value), depth + 1)
    return as_plain(_known(value), depth + 1)


def frame_records(value: object) -> list[object] | None:
    """Give a data frame as its rows, each a dict; None if the value is no data frame."""
    to_dict = getattr(value, "to_dict", None)
    if to_dict is None or not hasattr(value, "columns") or not hasattr(value, "iloc"):
        return None
    if not getattr(value.columns, "is_unique", True):
        raise RunError("a data frame has two columns of one name: one of them would be lost")
    return to_dict(orient="records")  # type: ignore[no-any-return]


def _known(value: Any) -> object:
    """Give an encoder a form of a value that it does not know by itself."""
    if isinstance(value, Prediction | Nothing):
        inside = "NOTHING" if isinstance(value, Nothing) else "a Prediction"
        raise HoldsPredictionError(f"{inside} lies inside of a value: give it by itself or in a list of predictions")
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    if (records := frame_records(value)) is not None:
        return records
    if hasattr(value, "tolist"):
        return value.tolist()
    if type(value).__name__ == "NAType":  # pandas.NA
        return None
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _slowly(value: object) -> bytes:
    """Encode what orjson refuses: keys that are numpy's, large integers, half surrogate pairs."""
    try:
        return json.dumps(_null_for_nan(as_plain(value)), separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ScoringError(f"the prediction cannot be sent as JSON: {error}") from error
    except RecursionError as error:
        raise ScoringError("the prediction cannot be sent as JSON: it is nested too deep") from error


def _key(key: object) -> str | int | float | bool | None:
    plain = as_plain(key)
    if isinstance(plain, dict | list):
        raise TypeError(f"a key of type {type(key).__name__} has no JSON form")
    return plain  # type: ignore[no-any-return]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return b64encode(data).decode()


def _number(value: decimal.Decimal) -> int | float:
    is_whole = value.is_finite() and value.adjusted() < _MOST_DIGITS and value == value.to_integral_value()
    return int(value) if is_whole else float(value)


def _time(value: np.datetime64 | np.timedelta64) -> str | float | None:
    if np.isnat(value):
        return None
    return str(value) if isinstance(value, np.datetime64) else float(value / np.timedelta64(1, "s"))


def _array(value: Any) -> object:
    if value.dtype.names:
        return [dict(zip(value.dtype.names, row, strict=True)) for row in value.reshape(-1)]
    return list(value) if value.dtype.kind in "Mm" and value.ndim else value.tolist()


def _dated(value: Any) -> Any:
    """Give a value in which numpy's dates are as they are: orjson gives NaT as a date, and nanoseconds cut."""
    if isinstance(value, dict):
        return {key: _dated(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_dated(inner) for inner in value]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "M":
        return value
    unit = np.datetime_data(value.dtype)[0]
    if unit in ("s", "ms", "us") and not np.isnat(value).any():
        return value
    texts = np.datetime_as_string(value.astype("M8[s]") if unit in ("Y", "M", "W", "D", "h", "m") else value)
    return _dates_of(texts.tolist())


def _dates_of(texts: Any) -> Any:
    if isinstance(texts, list):
        return [_dates_of(text) for text in texts]
    return None if texts == "NaT" else texts.rstrip("0").rstrip(".") if "." in texts else texts


def _date(value: datetime.datetime | datetime.date | datetime.time) -> str | None:
    return None if value != value else value.isoformat()  # noqa: PLR0124 - pandas' NaT is no equal of itself


_FORMS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    (bytes | bytearray | memoryview, lambda value: _text(bytes(value))),
    (datetime.datetime | datetime.date | datetime.time, _date),
    (decimal.Decimal, _number),
    (datetime.timedelta, datetime.timedelta.total_seconds),
    (np.datetime64 | np.timedelta64, _time),
    (np.ndarray, _array),
    (uuid.UUID | PurePath | BaseException, str),
    (Mapping, lambda value: dict(value.items())),
    (list | tuple, list),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
"""What orjson does not know, and what it becomes."""

_FORMS_OF_OUR_OWN: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    (enum.Enum, lambda value: value.value),
    (str, str),
    (float, float),
    (int, int),
)
"""What orjson knows and json does not, or not as the same."""


def _null_for_nan(plain: Any) -> Any:
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    if isinstance(plain, dict):
        return {key: _null_for_nan(inner) for key, inner in plain.items()}
    return [_null_for_nan(inner) for inner in plain] if isinstance(plain, list) else plain
