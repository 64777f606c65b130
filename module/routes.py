"""Which messages leave for an input message: predictions on the outputs of its route, or one on the errors output."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

from scoring.codecs import encode_json
from scoring.errors import RequestError, RunError, ScoringError
from scoring.predictions import NOTHING, Outcome, Prediction

from .messages import Accepted, InputMessage, OutputMessage

MAX_SIZE = 250_000
"""Bytes of body and properties that leave at most; over edgeHub's limit the SDK's session reconnects for ever."""

_MAX_ID = 128
_MAX_BAG = 60_000  # url-encoded properties: they ride in an MQTT topic, which ends at 65,535 bytes
_MAX_SENTENCE = 2_000  # it may quote the message


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
        body = _error_body(message, error)
        carried = message.properties if _encoded_size(message.properties) < _MAX_BAG - 100 else {}
        properties = {**carried, "AzureMLResponse": "ERROR"}
        return self._message(accepted, self.errors, 0, body, properties)

    def _predictions(self, accepted: Accepted, outcomes: Sequence[Outcome], rows: bool) -> Iterator[OutputMessage]:
        count: dict[str, int] = {}
        default = self.outputs.get(accepted.message.input, self.outputs.get("*"))
        if default is None:
            raise ScoringError(f"the input {accepted.message.input} has no route: name it in SCORING_ROUTES")
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
    kind = next((kind for kind in (RequestError, RunError) if isinstance(error, kind)), ScoringError)
    return kind(f"row {row}: {error}")


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
    bag = _encoded_size(message.properties)
    if bag > _MAX_BAG:
        raise ScoringError(f"the properties of the prediction are {bag} bytes: at most {_MAX_BAG} can be sent")
    if bag + len(message.body) > MAX_SIZE:
        size = bag + len(message.body)
        raise ScoringError(f"the prediction is {size} bytes with its properties: at most {MAX_SIZE} can be sent")


def _encoded_size(properties: Mapping[str, str]) -> int:
    """Give the bytes of properties in a topic, url-encoded; for short ones only a bound, which costs less."""
    characters = sum(len(key) + len(value) for key, value in properties.items())
    if characters < 1_000:
        return 12 * characters + 2 * len(properties)
    return sum(len(quote(key, safe="")) + len(quote(value, safe="")) + 2 for key, value in properties.items())


def _error_body(message: InputMessage, error: ScoringError) -> bytes:
    """Give the body of an errors message, the original inside it cut until the whole fits."""
    sentence = str(error)[:_MAX_SENTENCE].encode(errors="replace").decode()
    said = {"type": type(error).__name__, "message": sentence, "input": message.input}
    known: dict[str, object] = {"system": message.system, "properties": message.properties}
    body, is_cut = message.body, False
    while True:
        original = {**known, **_body_field(body, is_cut=is_cut), "truncated": is_cut}
        whole = orjson.dumps({"error": said, "original": original})
        if len(whole) <= MAX_SIZE - _MAX_BAG:
            return whole
        if not body:
            known = {}
        body, is_cut = body[: len(body) // 2], True


def _body_field(body: bytes, *, is_cut: bool) -> dict[str, object]:
    try:
        return {"body": body.decode() if is_cut else orjson.loads(body)}
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return {"base64": b64encode(body).decode()}
