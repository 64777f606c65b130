"""What becomes of what run() gives or raises: an outcome, made at once and never by raising.

Anything that a user's object raises, while it is looked at or turned into bytes, is the error of its request alone.
"""

from collections.abc import Callable
from errno import EAGAIN, EHOSTUNREACH, EIO, EMFILE, ENETDOWN, ENETUNREACH, ENFILE, ENOMEM, ENOSPC
from pathlib import Path

from ..errors import RequestError, RunError, ScoringError, TransientError, WrongNumberError
from ..predictions import Nothing, Outcome, Prediction
from .responses import refused
from .results import ResultOptions, encoded
from .suspect_results import Swallowed
from .traces import blame, own_traceback

_MOST_TEXT = 4000
_ERRNOS = {ENOMEM, ENOSPC, EIO, EAGAIN, EMFILE, ENFILE, ENETDOWN, ENETUNREACH, EHOSTUNREACH}
_NETWORK = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "TimeoutException", "URLError", "gaierror"}
"""Names of exceptions by which urllib, requests, httpx and urllib3 say that the other side is not there."""

_RUNTIME = ("out of memory", "failed to allocate", "bad allocation", "cuda failure", "cudnn failure", "device lost")
"""What ONNX Runtime says when memory or a device is gone."""


class Answering:
    """Turns what one script gives and raises into outcomes; used on the scoring thread."""

    def __init__(self, run: Callable[..., object], directory: Path, options: ResultOptions) -> None:
        """Take the script's function, the folder with the user's files, and how results become bodies."""
        self._swallowed, self._directory, self._options = Swallowed(run), directory, options

    def outcome(self, result: object, *, is_row: bool = False) -> Outcome:
        """Give what leaves for a result, or the error that it stands for; never raises."""
        try:
            return encoded(result, self._options, is_row=is_row, judge=self._is_suspect)
        except ScoringError as error:
            return self.error(error)
        except BaseException as error:  # whatever tolist(), __str__ or keys() of a user's class may raise
            sentence = f"what run() gave cannot be sent: {blame(error, self._directory)}"
            return RunError(sentence, own_traceback(error, self._directory))

    def _is_suspect(self, value: object) -> bool:
        """Say whether a value looks like a caught exception; raises the error that it stands for."""
        error = value if isinstance(value, ScoringError) else refused(value)
        if error is not None:
            raise error
        return not isinstance(value, Prediction | Nothing) and self._swallowed.is_in(value)

    def error(self, raised: BaseException, what: str = "run()", *, misfit: bool = False) -> ScoringError:
        """Give what was raised as a failure of ours with one sentence and the user's own frames; never raises.

        A new one, also for RequestError: what a user raised may hold on to a whole batch by its frames, and its class
        may be one of their own. A ``misfit`` is what a schema raised before it called run().
        """
        try:
            if misfit:
                reason = " ".join(str(raised)[:1000].split())
                return RequestError(f"the body does not fit the script's input schema: {reason}")
            for kind in (RequestError, TransientError, WrongNumberError, RunError, ScoringError):
                if isinstance(raised, kind):
                    return kind(str(raised)[:_MOST_TEXT], raised.user_traceback)
            failed = TransientError if is_transient(raised) else RunError
            return failed(f"{what} failed: {blame(raised, self._directory)}", own_traceback(raised, self._directory))
        except BaseException as error:  # the text of a user's exception is made by a user's code
            return RunError(f"{what} failed: {type(raised).__name__}, which cannot be read: {type(error).__name__}")


def is_transient(error: BaseException) -> bool:
    """Say whether a failure has a cause outside of the message, so that the same call may succeed later."""
    if isinstance(error, MemoryError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    if any(kind.__name__ in _NETWORK for kind in type(error).__mro__):
        return True
    is_onnx = type(error).__module__.startswith("onnxruntime")
    return is_onnx and any(words in str(error).lower() for words in _RUNTIME)
