"""What stands at the two ends of run(): a request with its context, and what may be given for it besides a value."""

from collections.abc import Callable, Mapping

import msgspec

from .errors import ScoringError

SAMPLE = "sample.json"
"""The file beside a script with a body that it can score."""

SUSPECT, ERROR_RESULT = "scoringSuspect", "error-result"
"""The application property, and its value, of a prediction that seems to be an error that the script caught."""

RESPONSE = "AzureMLResponse"
"""The application property that says of each message what it is: ``OK``, ``ERROR`` or ``NOTHING``."""

_RESERVED = "$."
"""What the names of a message's system properties begin with, in the property bag that they share with the others."""


class Context(msgspec.Struct, frozen=True):
    """What a request came with; a script gets it in a parameter called ``context``, ``contexts`` if it is batched.

    Attributes:
        input: the module's input that the message arrived on.
        device, module: who sent it; empty if the hub did not say, as are the next four.
        message_id, correlation_id, creation_time: as the sender gave them; the time is text in ISO 8601.
        properties: application properties.
        attempt: 1 if run() certainly sees the request for the first time. Each further call with it adds one: after a
            batch failed and was halved, after a transient failure. What an earlier process left over begins at 2.
        content_type: of the body, as the sender gave it.
    """

    input: str = ""
    device: str = ""
    module: str = ""
    message_id: str = ""
    correlation_id: str = ""
    creation_time: str = ""
    properties: Mapping[str, str] = {}
    attempt: int = 1
    content_type: str = ""

    def headers(self) -> dict[str, str]:
        """Give what ``request_headers`` holds: the content type, if the sender named one, and the properties."""
        return {**({"Content-Type": self.content_type} if self.content_type else {}), **self.properties}


class Request(msgspec.Struct):
    """One decoded input for run(), on its way.

    Attributes:
        value: what the body, or the row, was decoded to.
        context: what its message came with; None where no script asks for it.
        is_row: it is one of the rows of a body, which are answered together as an array.
        calls: how often run() has been called with it in this process.
        decode: gives what the whole body is decoded to, anew; None where nobody can change the value.
        row: its place among the rows of the body.
    """

    value: object
    context: Context | None = None
    is_row: bool = False
    calls: int = 0
    decode: Callable[[], object] | None = None
    row: int = 0


class Nothing:
    """The type of NOTHING, of which there is one."""

    def __repr__(self) -> str:
        return "NOTHING"

    def __reduce__(self) -> str:
        """Stay the only one when copied or unpickled."""
        return "NOTHING"


# Neither of these two is of a kind that a JSON encoder knows by itself: one that a script hides inside of a value must
# be an error, not a JSON object of ours on the wrong output.
NOTHING = Nothing()
"""Give this for a request that needs no answer: it is acked and counted, and no message leaves."""


class Prediction(msgspec.Struct, frozen=True):
    """A prediction that chooses its output or carries properties; a list of them leaves as several messages.

    Attributes:
        value: what becomes the body.
        output: the module's output to leave on; by default the outputs that the input's route names.
        properties: application properties added to the message; those that only the module sets are left out.
    """

    value: object
    output: str | None = None
    properties: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse what no message can carry, on the script's own line.

        Raises:
            TypeError: the output, or the name or value of a property, is no text.
            UnicodeEncodeError: it is half a surrogate pair.
            ValueError: the output has control characters, or blanks at its ends; the name of a property is empty or
                that of a system property.
        """
        self.address()

    def address(self) -> tuple[str | None, dict[str, str]]:
        """Give output and properties as texts of their own; raises as above, for a script may change what it gave."""
        for text in (self.output or "", *self.properties, *self.properties.values()):
            if not isinstance(text, str):
                raise TypeError(f"a Prediction has {text!r} as output or in its properties: make it a str")
            text.encode()
        if self.output and (self.output != self.output.strip() or not self.output.isprintable()):
            raise ValueError(f"a Prediction has {self.output!r} as output, which no route can name")
        for name in self.properties:
            if not name or name.startswith(_RESERVED):
                said = f"a Prediction has a property called {name!r}"
                raise ValueError(f"{said}: give it a name that does not begin with {_RESERVED}, as the system's do")
        # A script may pass on all that came, from another module like this one too.
        return self.output or None, {
            name: text for name, text in self.properties.items() if name not in (RESPONSE, SUSPECT)
        }


class Leaving(msgspec.Struct, frozen=True):
    """What leaves as one message, on every output of the route or on one that the script chose.

    Attributes:
        body: its bytes; of a row the JSON that becomes an element of the array.
        output: None stands for the outputs of the route.
        properties: application properties that the script adds.
        content_type, content_encoding: of the body; the encoding is empty where the body is no text.
    """

    body: bytes
    output: str | None = None
    properties: Mapping[str, str] = {}
    content_type: str = "application/json"
    content_encoding: str = "utf-8"


Outcome = tuple[Leaving, ...] | ScoringError
"""What became of one request: what leaves for it, empty for NOTHING, or why it could not be scored."""
