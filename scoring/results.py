"""What a script returned for a message → what leaves for it: bodies with their content type, output and properties."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from .errors import ScoringError
from .plain_values import as_plain, encode, frame_records
from .predictions import NOTHING, Nothing, Outcome, Prediction
from .responses import Response, is_response

_JSON, _UTF8 = "application/json", "utf-8"


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """How results become bodies.

    Attributes:
        text: ``message``: a text that is JSON leaves as the JSON it is; ``exact``: as a JSON string, as Azure ML's
            images send it.
        nan: what becomes of NaN and infinities.
        unwrap: a list of one element leaves as the element.
        split: every element of a list leaves as a message of its own.
    """

    text: Literal["message", "exact"] = "message"
    nan: Literal["null", "reject"] = "null"
    unwrap: bool = False
    split: bool = False


class Leaving(NamedTuple):
    """What leaves as one message, on every output of the route or on one that the script chose."""

    body: bytes
    output: str | None = None
    properties: Mapping[str, str] = {}
    content_type: str = _JSON
    content_encoding: str = _UTF8


def leaving(outcomes: Sequence[Outcome], options: ResultOptions, *, rows: bool) -> Iterator[Leaving]:
    """Give what leaves for one message; none if all it got is NOTHING.

    Args:
        outcomes: one per request of the message, none of them an error.
        options: how results become bodies.
        rows: whether the requests were rows of its body, answered together as an array.

    Raises:
        ScoringError: a result has no form that can be sent.
    """
    for prediction in _joined(outcomes) if rows else _several(outcomes[0]):
        for value in _parts(prediction.value, options):
            body, content_type, encoding = _body(value, options)
            yield Leaving(body, prediction.output, prediction.properties, content_type, encoding)


def _several(outcome: Outcome) -> Iterator[Prediction]:
    """Give the predictions that leave for one request."""
    if outcome is NOTHING:
        return
    if isinstance(outcome, Prediction):
        yield outcome
    elif isinstance(outcome, list) and outcome and all(isinstance(each, Prediction | Nothing) for each in outcome):
        yield from (each for each in outcome if each is not NOTHING)
    else:
        yield Prediction(outcome)


def _joined(outcomes: Sequence[Outcome]) -> Iterator[Prediction]:
    """Give the predictions of several rows, those with equal output and properties joined to one array."""
    arrays: dict[tuple[object, ...], list[object]] = {}
    chosen: dict[tuple[object, ...], Prediction] = {}
    for outcome in outcomes:
        for prediction in _several(outcome):
            key: tuple[object, ...] = (prediction.output, *sorted(prediction.properties.items()))
            chosen.setdefault(key, prediction)
            arrays.setdefault(key, []).append(_row_value(prediction.value))
    for key, first in chosen.items():
        yield Prediction(arrays[key], first.output, first.properties)


def _row_value(value: object) -> object:
    """Give what stands for a row in the array: a response's body as the JSON or text it is."""
    if not is_response(value):
        return value
    body = Response.of(value).body
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body


def _parts(value: object, options: ResultOptions) -> Sequence[object]:
    """Give the values that leave for a prediction, each in a message of its own."""
    if not (options.unwrap or options.split):
        return (value,)
    elements = _elements(value)
    if elements is None:
        return (value,)
    if options.split:
        return elements
    return elements if len(elements) == 1 else (value,)


def _elements(value: Any) -> list[object] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    records = frame_records(value)
    if records is not None:
        return records
    if isinstance(value, list | tuple):
        return list(value)
    if hasattr(value, "tolist") and getattr(value, "ndim", None):
        return list(value)
    return None


def _body(value: object, options: ResultOptions) -> tuple[bytes, str, str]:
    """Give the body of a message, its content type and its content encoding."""
    if value is None:
        return b"{}", _JSON, _UTF8
    if isinstance(value, bytes | bytearray):
        value = as_plain(value)
    if isinstance(value, str) and options.text == "message":
        body = _json_text(value, options)
        if body is not None:
            return body, _JSON, _UTF8
    elif is_response(value):
        response = Response.of(value)
        return response.body, response.content_type, _UTF8 if response.is_text else ""
    return encode(value, reject_nan=options.nan == "reject"), _JSON, _UTF8


def _json_text(text: str, options: ResultOptions) -> bytes | None:
    """Give a text that is JSON as the body it is; None if it is none. Python writes NaN, which JSON has not."""
    try:
        body = text.encode()
        orjson.loads(body)
        return body
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        pass
    try:
        return encode(json.loads(text), reject_nan=options.nan == "reject")
    except (ValueError, RecursionError):
        return None
    except ScoringError:
        raise
