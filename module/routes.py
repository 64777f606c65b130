"""Which messages leave for an input message: predictions on the outputs of its route, or one on the errors output."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from scoring.codecs import encode_json
from scoring.errors import RequestError, ScoringError
from scoring.predictions import NOTHING, Outcome, Prediction

from .messages import Accepted, InputMessage, OutputMessage

MAX_SIZE = 250_000
"""Bytes of body and properties that leave at most; over edgeHub's limit the SDK's session reconnects for ever."""

_MAX_ID = 128


@dataclass(frozen=True)
class Routes:
    """Input name → outputs, and what every answer carries.

    Attributes:
        outputs: by input name; ``*`` stands for every other input.
        errors: the output for messages that cannot be scored.
        inbox_uuid: names answers to messages without an id.
        stamp: properties added to every prediction, such as ``model``.
    """

    outputs: Mapping[str, Sequence[str]]
    errors: str
    inbox_uuid: str
    stamp: Mapping[str, str] = field(default_factory=dict)

    def answers(self, accepted: Accepted, outcomes: Sequence[Outcome], *, rows: bool) -> list[OutputMessage]:
        """Give the messages that answer one input message; none if all it got is NOTHING.

        Args:
            accepted: the input message.
            outcomes: one per request of it.
            rows: whether the requests were rows of its body, answered together as an array.
        """
        try:
            wrong = next((n for n, outcome in enumerate(outcomes) if isinstance(outcome, ScoringError)), None)
            if wrong is not None:
                raise _named(outcomes[wrong], wrong if rows else None)
            return list(self._predictions(accepted, outcomes, rows))
        except ScoringError as error:
            return [self.error(accepted, error)]

    def error(self, accepted: Accepted, error: ScoringError) -> OutputMessage:
        """Give the message that says on the errors output why an input message could not be scored."""
        message = accepted.message
        kind = type(error).__name__
        body = _error_body(message, kind, str(error))
        properties = {**message.properties, "AzureMLResponse": "ERROR"}
        return self._message(accepted, self.errors, 0, body, properties)

    def _predictions(self, accepted: Accepted, outcomes: Sequence[Outcome], rows: bool) -> Iterator[OutputMessage]:
        count: dict[str, int] = {}
        default = self.outputs.get(accepted.message.input, self.outputs.get("*", ()))
        carried = {**accepted.message.properties, **self.stamp, "AzureMLResponse": "OK"}
        for prediction in _joined(outcomes) if rows else _several(outcomes[0]):
            body = encode_json(prediction.value)
            for output in default if prediction.output is None else (prediction.output,):
                number = count[output] = count.get(output, -1) + 1
                message = self._message(accepted, output, number, body, {**carried, **prediction.properties})
                _check_size(message)
                yield message

    def _message(
        self, accepted: Accepted, output: str, number: int, body: bytes, properties: dict[str, str]
    ) -> OutputMessage:
        given = accepted.message.system.get("message_id")
        identity = f"{given or f'{self.inbox_uuid}-{accepted.seq}'}.{output}.{number}"
        if len(identity) > _MAX_ID:
            identity = hashlib.sha256(identity.encode()).hexdigest()
        system = {"message_id": identity, "content_type": "application/json", "content_encoding": "utf-8"}
        if correlation := accepted.message.system.get("correlation_id") or given:
            system["correlation_id"] = correlation
        return OutputMessage(body, output, system, properties)


def _named(error: Outcome, row: int | None) -> ScoringError:
    """Give the error of a message: that of its one request, or that of a row with its number (from 0)."""
    if row is None and isinstance(error, ScoringError):
        return error
    return (RequestError if isinstance(error, RequestError) else ScoringError)(f"row {row}: {error}")


def _several(outcome: Outcome) -> Iterator[Prediction]:
    """Give the predictions that leave for one request."""
    if outcome is NOTHING:
        return
    if isinstance(outcome, Prediction):
        yield outcome
    elif isinstance(outcome, list) and outcome and all(isinstance(each, Prediction) for each in outcome):
        yield from outcome
    else:
        yield Prediction(outcome)


def _joined(outcomes: Sequence[Outcome]) -> Iterator[Prediction]:
    """Give the predictions of several rows, those with equal output and properties joined to one array."""
    arrays: dict[tuple[object, ...], list[object]] = {}
    for outcome in outcomes:
        for prediction in _several(outcome):
            key = (prediction.output, *sorted(prediction.properties.items()))
            arrays.setdefault(key, []).append(prediction.value)
    for (output, *properties), values in arrays.items():
        yield Prediction(values, output, dict(properties))  # type: ignore[arg-type]


def _check_size(message: OutputMessage) -> None:
    size = len(message.body) + sum(len(k) + len(v) for k, v in message.properties.items())
    if size > MAX_SIZE:
        raise ScoringError(f"the prediction is {size} bytes with its properties: at most {MAX_SIZE} can be sent")


def _error_body(message: InputMessage, kind: str, sentence: str) -> bytes:
    """Give the body of an errors message, the original inside it cut so that the whole fits."""
    original: dict[str, object] = {"system": message.system, "properties": message.properties}
    room = MAX_SIZE * 3 // 4 - len(sentence) - sum(len(k) + 2 * len(v) for k, v in message.properties.items())
    # base64 and JSON's escapes both lengthen what they carry: leave room for the worse of the two.
    cut = message.body[: max(0, room // 2)] if len(message.body) > room // 2 else message.body
    try:
        original["body"] = orjson.loads(cut) if cut is message.body else cut.decode()
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        original["base64"] = b64encode(cut).decode()
    original["truncated"] = cut is not message.body
    error = {"type": kind, "message": sentence, "input": message.input}
    return orjson.dumps({"error": error, "original": original})
