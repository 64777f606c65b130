"""Where in the user's own files did it go wrong? One sentence for people, the frames for the log."""

import traceback
from pathlib import Path
from types import CodeType, TracebackType


def blame(error: BaseException, directory: Path) -> str:
    """Give ``score.py line 12: KeyError: 'rul'``: the innermost line that is the user's own, and the error."""
    kind = type(error).__name__
    text = str(error).strip().splitlines()
    said = f"{kind}: {text[0][:500]}" if text else kind  # it may quote a whole message
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name} line {error.lineno}: {kind}: {error.msg}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, directory)]
    return f"{Path(own[-1].filename).name} line {own[-1].lineno}: {said}" if own else said


def own_traceback(error: BaseException, directory: Path) -> str:
    """Give the traceback from the first frame that is the user's own."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and not _is_own(trace.tb_frame.f_code.co_filename, directory):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def entered(error: BaseException, code: CodeType | None) -> bool:
    """Say whether an error was raised inside a function, not on the way to it."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            return True
        trace = trace.tb_next
    return False


def _is_own(filename: str, directory: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(directory) and "site-packages" not in path.parts
