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


Outcome = object | ScoringError
"""What became of one request: the value that run() gave for it, or why it could not be scored."""
