"""What run() may give for a request besides a plain value: nothing, or a value with an output and properties."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .errors import ScoringError


class Nothing(enum.Enum):
    """The type of NOTHING."""

    NOTHING = "NOTHING"


NOTHING: Final = Nothing.NOTHING
"""Give this for a request that needs no answer: it is acked and counted, and no message leaves."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction that chooses its output or carries properties; a list of them leaves as several messages.

    Attributes:
        value: what becomes the body.
        output: the module's output to leave on; by default the outputs that the input's route names.
        properties: application properties added to the message.
    """

    value: object
    output: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no message can carry, on the script's own line.

        Raises:
            TypeError: the output, or the name or value of a property, is no text.
            UnicodeEncodeError: it is half a surrogate pair.
        """
        for text in (self.output or "", *self.properties, *self.properties.values()):
            if not isinstance(text, str):
                raise TypeError(f"a Prediction has {text!r} as output or in its properties: make it a str")
            text.encode()


Outcome = object | ScoringError
"""What became of one request: the value that run() gave for it, or why it could not be scored."""
