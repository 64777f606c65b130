"""What a script returned for a request → what leaves for it: bodies with their content type, output and properties.

Encoded on the scoring thread before the next run(), since what run() gave may be changed by it: a result belongs to its
message from the moment that run() returns.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ..bodies.plain_values import HoldsPredictionError, encode, frame_records, text_or_base64
from ..errors import RunError, ScoringError
from ..predictions import ERROR_RESULT, SUSPECT, Leaving, Nothing, Prediction
from .responses import response_of

_JSON, _UTF8 = "application/json", "utf-8"

MOST = 10_000
"""Messages that leave for one message at most: each needs an MQTT packet id, of which there are 65,535."""


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """How results become bodies.

    Attributes:
        text: ``message``: a text that is JSON leaves as the JSON it is; ``exact``: as a JSON string, as Azure ML's
            images send it.
        nan: what becomes of NaN and infinities.
        unwrap: a list of one element leaves as the element.
        split: every element of a list leaves as a message of its own.
        max_bytes: of one body.
    """

    text: Literal["message", "exact"] = "message"
    nan: Literal["null", "reject"] = "null"
    unwrap: bool = False
    split: bool = False
    max_bytes: int = 250_000


Judge = Callable[[object], bool]
"""Says whether a value that leaves is suspect; raises ScoringError if it must not leave."""


def encoded(
    result: object, options: ResultOptions, *, is_row: bool = False, judge: Judge = lambda value: False
) -> tuple[Leaving, ...]:
    """Give what leaves for one request; empty for NOTHING. Nothing of it is shared with the result.

    Args:
        result: what run() gave, no error.
        options: how it becomes bodies.
        is_row: the request is a row of a body: see joined().
        judge: asked of the value of each prediction.

    Raises:
        ScoringError: the result has no form that can be sent.
    """
    if not isinstance(result, Prediction | Nothing):
        try:
            return _bodies(result, None, {}, options, judge, is_row=is_row)
        except HoldsPredictionError:  # found by encoding: to look for it beforehand would cost as much as to encode
            if not isinstance(result, list | tuple):
                raise
    several = result if isinstance(result, list | tuple) else [result]
    _check_number(len(several))
    leaving: list[Leaving] = []
    for each in several:
        if not isinstance(each, Nothing):
            one = each if isinstance(each, Prediction) else Prediction(each)
            leaving += _bodies(one.value, *one.address(), options, judge, is_row=is_row)
    return tuple(leaving)


def joined(rows: Sequence[tuple[Leaving, ...]], options: ResultOptions) -> Iterator[Leaving]:
    """Give what leaves for a body with rows: what they have for one output and with equal properties as an array.

    An array with a suspect row is suspect; the row stays in its place.

    Raises:
        ScoringError: more messages would leave than may.
    """
    arrays: dict[tuple[object, ...], list[Leaving]] = {}
    for leaving in rows:
        for each in leaving:
            named = [(name, text) for name, text in each.properties.items() if name != SUSPECT]
            key: tuple[object, ...] = (each.output, *sorted(named))
            arrays.setdefault(key, []).append(each)
    _check_number(sum(map(len, rows)) if options.split else len(arrays))
    for elements in arrays.values():
        if options.split or (options.unwrap and len(elements) == 1):
            yield from elements
        else:
            body = b"[" + b",".join([each.body for each in elements]) + b"]"
            properties = next((each for each in elements if SUSPECT in each.properties), elements[0]).properties
            yield Leaving(body, elements[0].output, properties)


def _check_number(number: int) -> None:
    if number > MOST:
        raise RunError(f"{number} messages would leave for one message: at most {MOST} can")


def _bodies(
    value: object, output: str | None, properties: dict[str, str], options: ResultOptions, judge: Judge, *, is_row: bool
) -> tuple[Leaving, ...]:
    if judge(value):
        properties[SUSPECT] = ERROR_RESULT
    leaving: list[Leaving] = []
    for part in (value,) if is_row else _parts(value, options):
        body, content_type, encoding = (_row(part, options), _JSON, _UTF8) if is_row else _body(part, options)
        if len(body) > options.max_bytes:
            raise ScoringError(f"the prediction is {len(body)} bytes: at most {options.max_bytes} can be sent")
        leaving.append(Leaving(body, output, properties, content_type, encoding))
    return tuple(leaving)


def _row(value: object, options: ResultOptions) -> bytes:
    """Give what stands for a row in the array: a response's body as the JSON or text it is."""
    if (response := response_of(value)) is not None:
        value = response.body
        with suppress(orjson.JSONDecodeError):
            orjson.loads(value)
            return value
    return _json(value, options)


def _parts(value: object, options: ResultOptions) -> Sequence[object]:
    """Give the values that leave for a prediction, each in a message of its own."""
    if not (options.unwrap or options.split):
        return (value,)
    told: Any = value
    if isinstance(value, str):
        with suppress(ValueError):
            told = json.loads(value)
    elements = frame_records(told)
    if isinstance(told, list | tuple) or (hasattr(told, "tolist") and getattr(told, "ndim", None)):
        elements = list(told)
    if elements is None or (not options.split and len(elements) != 1):
        return (value,)
    if options.split:
        _check_number(len(elements))
    return elements


def _body(value: object, options: ResultOptions) -> tuple[bytes, str, str]:
    """Give the body of a message, its content type and its content encoding."""
    if value is None:
        return b"{}", _JSON, _UTF8
    if (response := response_of(value)) is not None:
        return response.body, response.content_type, response.content_encoding
    return _json(text_or_base64(value) if isinstance(value, bytes | bytearray) else value, options), _JSON, _UTF8


def _json(value: object, options: ResultOptions) -> bytes:
    """Give a value as JSON, a text that is JSON as the JSON it is. Python writes NaN, which JSON has not."""
    if isinstance(value, str) and options.text != "exact":
        try:
            body = value.encode()
            orjson.loads(body)
            return body
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            pass
        if value.lstrip().startswith(("{", "[")):  # NaN by itself is a text
            with suppress(ValueError, RecursionError):
                value = json.loads(value)
    return encode(value, reject_nan=options.nan == "reject")
