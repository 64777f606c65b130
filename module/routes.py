"""Which messages leave for an input message: predictions on the outputs of its route, or one on the errors output."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from scoring.errors import RequestError, RunError, ScoringError
from scoring.predictions import RESPONSE, SUSPECT, Leaving, Outcome
from scoring.scripts.results import MOST, ResultOptions, joined

from .messages import Accepted, InputMessage, OutputMessage
from .property_bag import MAX_BAG, bag_size, fitting

MAX_SIZE = 250_000
"""Bytes of body and properties that leave at most; over edgeHub's limit the SDK's session reconnects for ever."""

MAX_ANSWERS_SIZE = 64 << 20
"""Bytes of all that leaves for one message at most: it waits in memory until it is confirmed."""

_MAX_ID, _MAX_CORRELATION, _MAX_SENTENCE = 128, 1024, 4_000


class Answers(NamedTuple):
    """What leaves for one input message; with an error if it could not be scored, or because all it got is NOTHING."""

    messages: list[OutputMessage]
    error: ScoringError | None = None
    is_nothing: bool = False


@dataclass(frozen=True)
class Routes:
    """Input name → outputs, and what every answer carries.

    Attributes:
        outputs: by input name; ``*`` stands for every other input.
        errors: the output for messages that cannot be scored.
        inbox_uuid: names answers to messages without an id.
        stamp: properties added to every prediction, such as ``model``.
        results: how results become bodies.
        nothing: the output that is told of messages answered with NOTHING; empty: none.
    """

    outputs: Mapping[str, Sequence[str]]
    errors: str
    inbox_uuid: str
    stamp: Mapping[str, str] = field(default_factory=dict)
    results: ResultOptions = field(default_factory=ResultOptions)
    nothing: str = ""

    def answers(self, accepted: Accepted, outcomes: Sequence[Outcome], *, rows: bool) -> Answers:
        """Give the messages that answer one input message; if all it got is NOTHING, none or one that says so.

        Args:
            accepted: the input message.
            outcomes: one per request of it.
            rows: whether the requests were rows of its body, answered together as an array.
        """
        try:
            left: list[tuple[Leaving, ...]] = []
            for row, outcome in enumerate(outcomes):
                if isinstance(outcome, ScoringError):
                    raise _named(outcome, row) if rows else outcome
                left.append(outcome)
            leaving = joined(left, self.results) if rows else left[0]
            messages = list(self._predictions(accepted, leaving))
            is_nothing = not messages
            if is_nothing and self.nothing:
                properties = {RESPONSE: "NOTHING"}
                messages = [self._message(accepted, self.nothing, 0, Leaving(b"null"), properties)]
            return Answers(messages, None, is_nothing)
        except ScoringError as error:
            properties = {**fitting(accepted.message.properties, MAX_BAG // 2), RESPONSE: "ERROR"}
            body = _error_body(accepted.message, error, MAX_SIZE - bag_size(properties))
            return Answers([self._message(accepted, self.errors, 0, Leaving(body), properties)], error)

    def _predictions(self, accepted: Accepted, leaving: Iterable[Leaving]) -> Iterator[OutputMessage]:
        count: dict[str, int] = {}
        total = 0
        default = self.outputs.get(accepted.message.input, self.outputs.get("*"))
        if default is None:
            raise ScoringError(f"the input {accepted.message.input} has no route: name it in SCORING_ROUTES")
        carried = {**accepted.message.properties, **self.stamp, RESPONSE: "OK"}
        carried.pop(SUSPECT, None)  # of another module's prediction
        for answer in leaving:
            properties = {**carried, **answer.properties}
            for output in default if answer.output is None else (answer.output,):
                number = count[output] = count.get(output, -1) + 1
                message = self._message(accepted, output, number, answer, properties)
                total += _checked_size(message)
                if total > MAX_ANSWERS_SIZE or sum(count.values()) + len(count) > MOST:
                    raise ScoringError(f"more than {MOST} messages or {MAX_ANSWERS_SIZE} bytes would leave for one")
                yield message

    def _message(
        self, accepted: Accepted, output: str, number: int, answer: Leaving, properties: dict[str, str]
    ) -> OutputMessage:
        given = accepted.message.system.get("message_id")
        identity = f"{given or f'{self.inbox_uuid}-{accepted.seq}'}.{output}.{number}"
        if len(identity) > _MAX_ID:
            identity = hashlib.sha256(identity.encode()).hexdigest()
        system = {"message_id": identity, "content_type": answer.content_type}
        if answer.content_encoding:
            system["content_encoding"] = answer.content_encoding
        # IoT Hub takes no longer one; a whole topic of it would leave no room for anything else.
        correlation = accepted.message.system.get("correlation_id") or given or ""
        if 0 < len(correlation) <= _MAX_CORRELATION:
            system["correlation_id"] = correlation
        return OutputMessage(answer.body, output, system, properties)


def _named(error: ScoringError, row: int) -> ScoringError:
    """Give the error of a message with rows: that of a row with its number (from 0)."""
    kind = next((kind for kind in (RequestError, RunError) if isinstance(error, kind)), ScoringError)
    return kind(f"row {row}: {error}", error.user_traceback)


def _checked_size(message: OutputMessage) -> int:
    """Give the bytes of a message on the wire, or more.

    Raises:
        ScoringError: they are too many, or those of them that ride in its topic.
    """
    texts = (message.output, *message.system.values(), *message.properties, *message.properties.values())
    size = len(message.body) + 12 * sum(map(len, texts))  # one character takes 12 bytes at most
    if size < MAX_BAG:
        return size
    bag = bag_size(message.properties)
    topic = bag + bag_size({"": message.output, **message.system})
    size = len(message.body) + bag
    if size > MAX_SIZE:
        raise ScoringError(f"the prediction is {size} bytes with its properties: at most {MAX_SIZE} can be sent")
    if topic > MAX_BAG:
        raise ScoringError(f"the properties of the prediction are {topic} bytes: at most {MAX_BAG} can be sent")
    return size


def _error_body(message: InputMessage, failure: ScoringError, room: int) -> bytes:
    """Give the body of an errors message, at most ``room`` bytes: what was wrong, and the original to try again with.

    Args:
        message: the input message.
        failure: what was wrong; its sentence may quote the message.
        room: in bytes; at least a quarter of a megabyte less the properties.
    """
    sentence = str(failure)[:_MAX_SENTENCE]
    error = {"type": type(failure).__name__, "message": sentence, "input": message.input}
    original: dict[str, object] = {"system": message.system, "properties": fitting(message.properties, MAX_BAG // 2)}
    frame = len(orjson.dumps({"error": error, "original": {**original, "base64": "", "truncated": False}}))
    original |= _carried(message.body, room - frame)
    return orjson.dumps({"error": error, "original": original})


def _carried(body: bytes, room: int) -> dict[str, object]:
    """Give the original body as the JSON it is, as text or as base64; cut if it takes more than ``room`` bytes."""
    is_json = False
    with suppress(orjson.JSONDecodeError, TypeError):
        orjson.loads(body)
        is_json = True
    if is_json and len(body) <= room:
        return {"body": orjson.Fragment(body), "truncated": False}  # as it came: numbers keep all their digits
    most = max(0, room) // 4 * 3
    if not is_json and len(body) <= most:
        return {"base64": b64encode(body).decode(), "truncated": False}
    with suppress(UnicodeDecodeError):
        text = body[: room // 2].decode()
        if len(orjson.dumps(text)) <= room:
            return {"body": text, "truncated": True}
    return {"base64": b64encode(body[:most]).decode(), "truncated": True}
