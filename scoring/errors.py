"""What can go wrong while scoring, hung on the way of a request.

ScoringError
├── OptionsError    a SCORING_ variable does not fit: the module has found that out before (exit 2)
├── ScriptError     score.py cannot be found, imported, initialised or called: the module does not start (exit 3)
├── ModelError      the model cannot be found, read or loaded: the module does not start (exit 3)
├── RequestError    this one request is wrong: answered on the errors output, its neighbours are scored
└── RunError        run() failed: the batch is bisected until only the request that causes it is left
    ├── WrongNumberError  it gave no list, or one of another length: whose a prediction is cannot be told
    └── TransientError  not the request's fault (memory, device, network): tried again, never answered
"""

from collections.abc import Collection
from difflib import get_close_matches


class ScoringError(Exception):
    """Base of every failure that scoring reports in one sentence.

    Its text may quote a message or a user's exception: half surrogate pairs, which no file, log or body can hold, are
    escaped here once for all.

    Attributes:
        user_traceback: the part of the traceback in the user's own files, for the log; empty if there is none.
    """

    def __init__(self, sentence: object = "", user_traceback: str = "") -> None:
        super().__init__(_encodable(str(sentence)))
        self.user_traceback = _encodable(str(user_traceback))


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


class OptionsError(ScoringError):
    """An environment variable does not fit."""


class ScriptError(ScoringError):
    """The scoring script cannot serve."""


class ModelError(ScoringError):
    """The model cannot serve."""


class RequestError(ScoringError):
    """One request cannot be scored; a scoring script may raise it too."""


class RunError(ScoringError):
    """run() raised, or did not give one prediction per request."""


class WrongNumberError(RunError):
    """run() did not give one prediction per request."""


class TransientError(RunError):
    """run() failed for a reason outside of its requests: they are tried again until it succeeds."""


def meant(word: str, known: Collection[str], prefix: str = "") -> str:
    """Give the end of a sentence about an unknown word: which known one was meant; empty if none is near.

    A prefix that all of them have would make everything near: it is left off them, and put before the answer.
    """
    near = get_close_matches(word, known, n=1)
    return f", did you mean {prefix}{near[0]}?" if near else ""
