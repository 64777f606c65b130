"""Which messages leave for an input message: predictions on the outputs of its route, or one on the errors output."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scoring.errors import RequestError, RunError, ScoringError
from scoring.predictions import Outcome
from scoring.results import Leaving, ResultOptions, leaving

from .error_body import error_body
from .messages import Accepted, OutputMessage
from .property_bag import MAX_BAG, bag_size, fitting

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
        results: how results become bodies.
        nothing: the output that is told of messages answered with NOTHING; empty: none.
    """

    outputs: Mapping[str, Sequence[str]]
    errors: str
    inbox_uuid: str
    stamp: Mapping[str, str] = field(default_factory=dict)
    results: ResultOptions = field(default_factory=ResultOptions)
    nothing: str = ""

    def answers(self, accepted: Accepted, outcomes: Sequence[Outcome], *, rows: bool) -> list[OutputMessage]:
        """Give the messages that answer one input message; if all it got is NOTHING, none or one that says so.

        Args:
            accepted: the input message.
            outcomes: one per request of it.
            rows: whether the requests were rows of its body, answered together as an array.
        """
        try:
            wrong = next((n for n, outcome in enumerate(outcomes) if isinstance(outcome, ScoringError)), None)
            if wrong is not None:
                raise _named(outcomes[wrong], wrong if rows else None)
            return list(self._predictions(accepted, outcomes, rows)) or self._nothing(accepted)
        except ScoringError as error:
            return [self.error(accepted, error)]

    def error(self, accepted: Accepted, error: ScoringError) -> OutputMessage:
        """Give the message that says on the errors output why an input message could not be scored."""
        message = accepted.message
        properties = {**fitting(message.properties, MAX_BAG), "AzureMLResponse": "ERROR"}
        body = error_body(message, type(error).__name__, str(error), MAX_SIZE - bag_size(properties))
        return self._message(accepted, self.errors, 0, Leaving(body), properties)

    def _nothing(self, accepted: Accepted) -> list[OutputMessage]:
        said = {"AzureMLResponse": "NOTHING"}
        return [self._message(accepted, self.nothing, 0, Leaving(b"null"), said)] if self.nothing else []

    def _predictions(self, accepted: Accepted, outcomes: Sequence[Outcome], rows: bool) -> Iterator[OutputMessage]:
        count: dict[str, int] = {}
        default = self.outputs.get(accepted.message.input, self.outputs.get("*"))
        if default is None:
            raise ScoringError(f"the input {accepted.message.input} has no route: name it in SCORING_ROUTES")
        carried = {**accepted.message.properties, **self.stamp, "AzureMLResponse": "OK"}
        for answer in leaving(outcomes, self.results, rows=rows):
            properties = {**carried, **answer.properties}
            _check_size(answer.body, properties)
            for output in default if answer.output is None else (answer.output,):
                number = count[output] = count.get(output, -1) + 1
                yield self._message(accepted, output, number, answer, properties)

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
        if correlation := accepted.message.system.get("correlation_id") or given:
            system["correlation_id"] = correlation
        return OutputMessage(answer.body, output, system, properties)


def _named(error: Outcome, row: int | None) -> ScoringError:
    """Give the error of a message: that of its one request, or that of a row with its number (from 0)."""
    if row is None and isinstance(error, ScoringError):
        return error
    kind = next((kind for kind in (RequestError, RunError) if isinstance(error, kind)), ScoringError)
    return kind(f"row {row}: {error}")


def _check_size(body: bytes, properties: Mapping[str, str]) -> None:
    characters = sum(len(name) + len(text) for name, text in properties.items())
    if 12 * characters + len(body) < MAX_BAG:  # one character takes 12 bytes at most
        return
    bag = bag_size(properties)
    size = len(body) + bag
    if size > MAX_SIZE:
        raise ScoringError(f"the prediction is {size} bytes with its properties: at most {MAX_SIZE} can be sent")
    if bag > MAX_BAG:
        raise ScoringError(f"the properties of the prediction are {bag} bytes: at most {MAX_BAG} can be sent")
