"""Where in the user's own files did it go wrong? One sentence for people, the frames for the log.

An exception is an object of the user's: its text may raise or have a hundred megabytes, its traceback as many frames as
the stack had, its causes no end. What is said of it here is bounded, and saying it never raises.
"""

import ast
import os
import traceback
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..compat.finder import stands_in_for
from ..compat.old_libraries import instead
from ..compat.retired import library_of

_MAX_TEXT, _MAX_FRAMES, _MAX_CHAIN = 500, 24, 4
"""What is repeated of an exception at most: characters of its text, frames (the innermost), causes (the nearest)."""


def blame(error: BaseException, directory: Path) -> str:
    """Give ``score.py line 12: KeyError: 'rul'``: the innermost line that is the user's own, and the error."""
    try:
        kind = type(error).__name__
        if isinstance(error, SyntaxError) and error.filename:
            return f"{Path(error.filename).name} line {error.lineno}: {kind}: {_cut(error.msg)}"
        text = _text(error).splitlines()
        sentence = f"{kind}: {text[0]}" if text else kind
        if advice := instead(error):
            sentence += f" ({advice})"
        is_own = cache(lambda filename: _is_own(filename, directory))
        filename, number = "", 0
        for frame, line in traceback.walk_tb(error.__traceback__):
            if is_own(frame.f_code.co_filename):
                filename, number = frame.f_code.co_filename, line
        return f"{Path(filename).name} line {number}: {sentence}" if filename else sentence
    except BaseException:
        return "an exception of which nothing can be said"


def own_traceback(error: BaseException, directory: Path) -> str:
    """Give the traceback from the first frame that is the user's own, after those of what caused the error."""
    parts: list[str] = []
    following: BaseException | None = error
    try:
        trace = error.__traceback__
        while trace is not None and not _is_own(trace.tb_frame.f_code.co_filename, directory):
            trace = trace.tb_next
        while following is not None and len(parts) < _MAX_CHAIN:
            frames = traceback.extract_tb(trace, -_MAX_FRAMES).format()
            head = ["Traceback (most recent call last):\n"] if frames else []
            text = _text(following)
            last = f"{type(following).__qualname__}: {text}" if text else type(following).__qualname__
            if isinstance(following, SyntaxError):  # what Python prints has the line of it
                last = "".join(traceback.format_exception_only(following)).rstrip()[: 2 * _MAX_TEXT]
            parts.append("".join([*head, *frames, last]))
            cause = following.__cause__
            following = cause if cause is not None or following.__suppress_context__ else following.__context__
            trace = following.__traceback__ if following is not None else None
        return "\n\nwhich led to\n\n".join(reversed(parts))
    except BaseException:
        return ""


def unset(error: BaseException, directory: Path) -> list[str]:
    """Give the environment variables that are not set and that may be why: of those that the user's files read.

    Of a KeyError the one that it names; where None is what went wrong, those that the files of the traceback ask for
    without a default.
    """
    is_none = isinstance(error, TypeError | AttributeError) and "NoneType" in _text(error)
    if not (is_none or (isinstance(error, KeyError) and error.args)):
        return []
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    read = {name for file in files if _is_own(file, directory) for name in _read_without_default(Path(file))}
    return sorted(name for name in read - set(os.environ) if is_none or name == error.args[0])


def not_here(error: BaseException, directory: Path) -> list[str]:
    """Give what is not installed, by the names of the libraries: what was asked for, and what the same file imports."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if not isinstance(name, str) or not name or _is_here(name):
        return []
    own = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    imported = [each for file in own[-1:] if _is_own(file, directory) for each in _imported(Path(file))]
    asked = next((each for each in imported if each.startswith(f"{name}.")), name)
    return list(dict.fromkeys(library_of(each) for each in (asked, *imported) if not _is_here(each)))


def _imported(file: Path) -> list[str]:
    """Give the modules that a file cannot do without: imported at its top, and no stand-in of ours."""
    try:
        nodes = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    names = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return [name for name in names if name and not stands_in_for(name)]


def _is_here(name: str) -> bool:
    """Say whether a library is installed; of Azure's, which share their first word, the one that is meant."""
    try:
        return find_spec(name if name.startswith("azure.") else name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _read_without_default(file: Path) -> Iterator[str]:
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return
    for node in nodes:
        name: object = None
        if isinstance(node, ast.Call) and node.args and not node.keywords:
            asks = ast.unparse(node.func).removeprefix("os.") in ("getenv", "environ.get")
            name = node.args[0] if asks and all(_is_none(each) for each in node.args[1:]) else None
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).removeprefix("os.") == "environ":
            name = node.slice
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(error: BaseException) -> str:
    """Give what an exception says of itself, if it does."""
    try:
        return _cut(str(error))
    except BaseException as raised:
        return f"(its text cannot be had: {type(raised).__name__})"


def _cut(text: str) -> str:
    text = text[: 2 * _MAX_TEXT].strip()
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _is_own(filename: str, directory: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(directory) and "site-packages" not in path.parts
