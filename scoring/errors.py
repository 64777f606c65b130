"""What can go wrong while scoring, hung on the way of a request.

ScoringError
├── ScriptError     score.py cannot be found, imported, initialised or called: the module does not start (exit 3)
├── ModelError      the model cannot be found, read or loaded: the module does not start (exit 3)
├── RequestError    this one request is wrong: answered on the errors output, its neighbours are scored
└── RunError        run() failed: the batch is bisected until only the request that causes it is left
    └── TransientError  not the request's fault (memory, device, network): tried again, never answered
"""


class ScoringError(Exception):
    """Base of every failure that scoring reports in one sentence.

    Attributes:
        user_traceback: the part of the traceback in the user's own files, for the log; empty if there is none.
    """

    def __init__(self, sentence: str = "", user_traceback: str = "") -> None:
        super().__init__(sentence)
        self.user_traceback = user_traceback


class ScriptError(ScoringError):
    """The scoring script cannot serve."""


class ModelError(ScoringError):
    """The model cannot serve."""


class RequestError(ScoringError):
    """One request cannot be scored; a scoring script may raise it too."""


class RunError(ScoringError):
    """run() raised, or did not give one prediction per request."""


class TransientError(RunError):
    """run() failed for a reason outside of its requests: they are tried again until it succeeds."""
