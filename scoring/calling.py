"""Calls run() as its kind wants to be called: what a body becomes for it, and what became of each request."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import codecs
from .bisection import BatchScorer, as_run_error
from .comparing import Scoring
from .compat.rawhttp import AMLRequest
from .content_encoding import plain
from .errors import RequestError, ScoringError, TransientError
from .kinds import HEADERS, Entry
from .merging import Merging
from .predictions import Outcome, Prediction
from .responses import refused
from .swallowed import PROPERTY, VALUE, Swallowed
from .traces import entered

TURN = 0.005
"""Seconds after which a script that takes one request at a time lets the answered ones go."""

Decode = Callable[[codecs.Body], object]
Call = Callable[[object], object]
Score = Callable[[list[object]], list[Outcome]]


def decode_of(entry: Entry) -> Decode:
    """Give what makes a request of a body.

    ``batched`` gets the decoded value, classic the text, the others their arguments by name. Runs outside the scoring
    thread; raises RequestError.
    """
    name = entry.parameters[0].name
    match entry.kind:
        case "batched" | "onnx":
            return codecs.decode
        case "schema":
            return lambda body: _by_name(entry, body)
        case "rawhttp":
            return lambda body: {name: _raw_request(body), **_headers(entry, body)}
    if entry.headers:
        return lambda body: {name: codecs.decode_text(body), **_headers(entry, body)}
    return codecs.decode_text


def call_of(entry: Entry, awaiting: "Awaiting") -> Call:
    """Give run() for one decoded request (for a batch of them, if it takes batches); raises what run() raises.

    An ``async def run`` is awaited.
    """
    run = entry.run
    name = entry.parameters[0].name
    settle = awaiting.settle
    if entry.kind in ("batched", "onnx"):
        return lambda requests: settle(run(requests))
    if entry.kind == "classic" and not entry.headers:
        return lambda text: settle(run(**{name: text}))

    def by_name(arguments: Any) -> object:
        return settle(run(**arguments if isinstance(arguments, dict) else {name: arguments}))

    return by_name


def score_of(entry: Entry, call: Call, directory: Path, merging: Merging | None) -> Score:
    """Give a score() that never raises; see Script."""
    swallowed = Swallowed(entry.run)

    def outcome(result: object) -> Outcome:
        """Give what a result stands for: itself, an error, or a prediction marked as suspect."""
        if (error := refused(result)) is not None:
            return error
        if not isinstance(result, Prediction | ScoringError) and swallowed.is_in(result):
            return Prediction(result, properties={PROPERTY: VALUE})
        return result

    if entry.kind in ("batched", "onnx"):
        scorer = BatchScorer(call, directory, bisect=entry.options.bisect)
        return lambda requests: [outcome(each) for each in scorer.score(requests)]
    one_by_one = _one_by_one(entry, call, outcome, directory)
    if merging is None:
        return one_by_one

    merging.use(Scoring(call, outcome, one_by_one))

    def score(requests: list[object]) -> list[Outcome]:
        merged = merging.score(requests)
        return one_by_one(requests) if merged is None else merged

    return score


def _one_by_one(entry: Entry, call: Call, outcome: Callable[[object], Outcome], directory: Path) -> Score:
    """Give a score() that calls run() once per request, and returns after a turn's time."""
    code = getattr(inspect.unwrap(entry.run), "__code__", None)

    def failed(error: BaseException) -> Outcome:
        if entry.kind == "schema" and isinstance(error, Exception) and code is not None and not entered(error, code):
            return RequestError(f"the body does not fit the script's input schema: {error}"[:1000])
        return as_run_error(error, directory)

    def score(requests: list[object]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        end = time.perf_counter() + TURN
        for request in requests:
            try:
                outcomes.append(outcome(call(request)))
            except BaseException as error:  # SystemExit and CancelledError too, as in score_batch
                outcomes.append(failed(error))
            if time.perf_counter() > end or isinstance(outcomes[-1], TransientError):
                break
        return outcomes

    return score


class Awaiting:
    """The event loop of a script that is asynchronous: made when it is first needed, on the scoring thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def settle(self, result: Any) -> object:
        """Give the result of what has to be awaited; anything else as it is."""
        if not hasattr(type(result), "__await__"):
            return result
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(_awaited(result))


async def _awaited(result: Any) -> object:
    return await result


def _by_name(entry: Entry, body: codecs.Body) -> dict[str, object]:
    """Give the arguments of a decorated run(): the fields of an object, by name, else their defaults.

    Raises:
        RequestError: the body is no JSON object, or a field is missing that has no default.
    """
    text = codecs.decode_text(body)
    try:
        fields = json.loads(text)  # as those images do: NaN and Infinity are values here
    except (ValueError, RecursionError):
        fields = codecs.decode_json(body)  # says which byte is wrong
    if not isinstance(fields, dict):
        raise RequestError("the body must be a JSON object with run()'s parameters as fields")
    arguments: dict[str, object] = {}
    for parameter in entry.parameters:
        value = fields.get(parameter.name, parameter.default)
        if value is parameter.empty:
            there = ", ".join(sorted(str(name)[:40] for name in fields)[:8]) or "none"
            raise RequestError(f"the field {parameter.name} is missing (there: {there})")
        arguments[parameter.name] = value
    return {**arguments, **_headers(entry, body)}


def _raw_request(body: codecs.Body) -> AMLRequest:
    return AMLRequest(plain(body.data, body.content_encoding, None), body.content_type, body.headers)


def _headers(entry: Entry, body: codecs.Body) -> dict[str, object]:
    if not entry.headers:
        return {}
    return {HEADERS: {"Content-Type": body.content_type or "application/json", **body.headers}}
