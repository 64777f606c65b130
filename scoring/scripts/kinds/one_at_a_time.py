"""Calls run() as its kind wants to be called: what a body becomes for it, and what became of each request."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from msgspec import structs

from ..bodies import codecs
from ..bodies.content_encoding import plain
from ..compat.rawhttp import AMLRequest
from ..errors import RequestError, ScoringError, TransientError
from ..merging.comparison import Scoring
from ..merging.merge_policy import Merging
from ..predictions import Context, Outcome, Request
from .answering import Answering
from .bisection import BatchScorer, one_each, until_transient
from .kinds import HEADERS, Entry
from .traces import entered

TURN = 0.005
"""Seconds after which a script that takes one request at a time lets the answered ones go."""

Decode = Callable[[codecs.Body], object]
Call = Callable[..., object]
"""run() for a request, or for a list of them, and their contexts; raises what it raises."""

Score = Callable[[Sequence[Request]], list[Outcome]]


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

    An ``async def run`` is awaited. The contexts are those of the requests, where the script asks for them.
    """
    run, settle = entry.run, awaiting.settle
    name = entry.parameters[0].name
    if entry.kind in ("batched", "onnx"):
        if entry.context:
            return lambda requests, contexts=(): settle(run(requests, **{entry.context: list(contexts)}))
        return lambda requests, contexts=(): settle(run(requests))

    def by_name(arguments: Any, contexts: Sequence[Context] = ()) -> object:
        given = arguments if isinstance(arguments, dict) else {name: arguments}
        if entry.context:
            given = {**given, entry.context: contexts[0] if contexts else Context()}
        return settle(run(**given))

    return by_name


def score_of(entry: Entry, call: Call, answering: Answering, merging: Merging | None, awaiting: "Awaiting") -> Score:
    """Give a score() that never raises, and whose outcomes share nothing with what the script keeps; see Script."""
    if entry.kind in ("batched", "onnx"):
        check = entry.options.check
        settled = None if check is None else lambda value: awaiting.settle(check(value))
        return in_batches(call, answering, bisect=entry.options.bisect, check=settled)
    one_by_one = _one_by_one(entry, call, answering)
    if merging is None:
        return one_by_one

    # Arguments by name are objects that run() may change; a text is none.
    own: Callable[[object], object] = deepcopy if entry.kind == "schema" else lambda value: value

    def values_one_by_one(values: Sequence[object]) -> list[Outcome]:
        return one_by_one([Request(own(value)) for value in values])

    merging.use(Scoring(lambda value: call(own(value)), answering.outcome, values_one_by_one))

    def score(requests: Sequence[Request]) -> list[Outcome]:
        merged = merging.score([request.value for request in requests])
        return one_by_one(requests) if merged is None else merged

    return score


def in_batches(
    call: Call, answering: Answering, *, bisect: bool = True, check: Callable[[Any], object] | None = None
) -> Score:
    """Give a score() that calls run() once per batch, with the requests that the script's own check lets through."""
    outcome = answering.outcome

    def run(requests: Sequence[Request]) -> list[Outcome]:
        try:
            values, contexts = _values(requests), _contexts(requests)
            predictions = one_each(call(values, contexts), len(requests))
            # Each at once, before the next one is asked for: a generator may fill the same object again.
            return [outcome(each, is_row=request.is_row) for each, request in zip(predictions, requests, strict=True)]
        except BaseException as raised:  # SystemExit and CancelledError too: nobody else would answer
            raise answering.error(raised) from None

    scorer = BatchScorer(run, bisect=bisect)
    return scorer.score if check is None else _checked(scorer.score, check, answering)


def _checked(score: Score, check: Callable[[Any], object], answering: Answering) -> Score:
    """Give a score() that asks the script's check of every request beforehand: run() sees only what passes."""

    def error_of(request: Request) -> ScoringError | None:
        try:
            passes = check(request.value)
            return None if passes is None or passes else RequestError("it does not pass the script's check")
        except BaseException as raised:
            return answering.error(raised, "check()")

    def checked_score(requests: Sequence[Request]) -> list[Outcome]:
        errors: list[ScoringError | None] = []
        for request in requests:
            errors.append(error_of(request))
            if isinstance(errors[-1], TransientError):
                break
        passed = [request for request, error in zip(requests, errors, strict=False) if error is None]
        scored = iter(score(passed) if passed else ())
        outcomes: list[Outcome] = []
        for error in errors:
            outcome = next(scored, None) if error is None else error
            if outcome is None:
                break  # run() failed for a transient reason
            outcomes.append(outcome)
        return until_transient(outcomes)

    return checked_score


def _one_by_one(entry: Entry, call: Call, answering: Answering) -> Score:
    """Give a score() that calls run() once per request, and returns after a turn's time."""
    code = getattr(inspect.unwrap(entry.run), "__code__", None)

    def outcome(request: Request) -> Outcome:
        try:
            (value,) = _values((request,))
            result = call(value, _contexts((request,)))
        except BaseException as error:  # SystemExit and CancelledError too
            is_before = isinstance(error, Exception) and code is not None and not entered(error, code)
            return answering.error(error, misfit=is_before and entry.kind == "schema")
        return answering.outcome(result)

    def score(requests: Sequence[Request]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        end = time.perf_counter() + TURN
        for request in requests:
            outcomes.append(outcome(request))
            if time.perf_counter() > end or isinstance(outcomes[-1], TransientError):
                break
        return outcomes

    return score


def _values(requests: Sequence[Request]) -> list[Any]:
    """Give what run() gets: of a request that it has had before the body decoded anew, since it may have changed it."""
    decoded: dict[int, Any] = {}
    values: list[Any] = []
    for request in requests:
        if request.calls == 0 or request.decode is None:
            values.append(request.value)
            continue
        body = id(request.decode)
        if body not in decoded:
            decoded[body] = request.decode()
        values.append(decoded[body][request.row] if request.is_row else decoded[body])
    return values


def _contexts(requests: Sequence[Request]) -> list[Context]:
    """Count a call with each request, and give the contexts of those that have one."""
    contexts = []
    for request in requests:
        if request.context is not None:
            contexts.append(structs.replace(request.context, attempt=request.context.attempt + request.calls))
        request.calls += 1
    return contexts


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
