"""Did a script return the exception that it caught, as if it were its prediction?

Of 202 public scripts 52 do. Nobody can know for sure; the rule is made so that it is silent about honest predictions. A
result is suspect if it is

1. an exception;
2. an object, or the JSON text of one, that has a field called error or exception with text in it, beside it only fields
   that describe an error (message, status, traceback…), and either the script's file has an except clause that gives
   back something made of the exception, or the text reads like one of Python's errors;
3. a text that is no JSON, from a file with such an except clause, if it reads like one of Python's errors, or if this
   script's other results are no plain texts.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

PROPERTY = "scoringSuspect"
"""The application property that suspect predictions carry, with the value ``error-result``."""

VALUE = "error-result"

_NAMES = {"error", "errors", "exception", "err", "errormessage", "error_message"}
_ANSWERS = {"result", "prediction", "predictions"}
_BESIDE = (
    _NAMES
    | _ANSWERS
    | {"message", "msg", "status", "statuscode", "status_code", "code", "type", "error_type", "detail", "details"}
    | {"traceback", "trace", "stacktrace", "stack_trace", "success", "ok", "reason"}
)
_MENTIONS = re.compile("err|exception", re.IGNORECASE)
_ERRORS = re.compile(
    r"^[\w.]*(Error|Exception|Interrupt|Iteration)\b|^Traceback \(|^'[^']*'$|Expecting |could not convert|"
    r"out of (range|bounds)|has no attribute|unsupported operand|invalid literal|object is not|not supported between|"
    r"(is|are) not defined|No such file|missing \d+ required|must be .{1,60}, not |list indices|"
    r"cannot (be |convert|reshape)|[Ee]xpected .*(array|input|shape)|NoneType|division by zero"
)
_MADE_BY_TRACEBACK = {"format_exc", "exc_info", "format_exception", "print_exc"}


class Swallowed:
    """One script's memory of what its results look like."""

    def __init__(self, run: Callable[..., object]) -> None:
        self._returns_caught = returns_caught(run)
        self._gives_values = False

    def is_in(self, result: object) -> bool:
        """Say whether a result looks like a caught exception."""
        if isinstance(result, BaseException):
            return True
        if isinstance(result, list | tuple) and len(result) == 1:
            result = result[0]
        if isinstance(result, str):
            return self._is_in_text(result)
        self._gives_values = True
        return isinstance(result, dict) and self._is_in_fields(result)

    def _is_in_text(self, text: str) -> bool:
        value = _json_of(text)
        if value is not None:
            self._gives_values = True
            return isinstance(value, dict) and self._is_in_fields(value)
        return self._returns_caught and (self._gives_values or reads_like_an_error(text))

    def _is_in_fields(self, result: dict[object, object]) -> bool:
        fields = {str(name).lower(): value for name, value in result.items()} if len(result) <= len(_BESIDE) else {}
        told = next((text for name in fields.keys() & _NAMES if (text := _text_in(fields[name]))), "")
        if not told or not fields.keys() <= _BESIDE or any(fields.get(name) for name in _ANSWERS):
            return False
        return self._returns_caught or reads_like_an_error(told)


def reads_like_an_error(text: str) -> bool:
    """Say whether a text is what Python's exceptions say."""
    return _ERRORS.search(text[:1000]) is not None


def returns_caught(run: Callable[..., object]) -> bool:
    """Say whether run(), or what its file has beside init(), has an except clause that gives back the exception."""
    code = getattr(inspect.unwrap(run), "__code__", None)
    try:
        tree = ast.parse(Path(code.co_filename).read_bytes()) if code else None
    except (OSError, SyntaxError, ValueError):
        return False
    return tree is not None and any(_gives_back(handler) for handler in _handlers(tree))


def _handlers(node: ast.AST) -> Iterator[ast.ExceptHandler]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            yield child
        if not (isinstance(child, ast.FunctionDef) and child.name == "init"):
            yield from _handlers(child)


def _gives_back(handler: ast.ExceptHandler) -> bool:
    caught: set[str | None] = {handler.name} if handler.name else set()
    kept: set[str | None] = set()
    for node in ast.walk(handler):
        if isinstance(node, ast.Assign) and _mentions(node.value, caught):
            kept.update(target.id for target in node.targets if isinstance(target, ast.Name))
    caught |= kept
    returns = [node for node in ast.walk(handler) if isinstance(node, ast.Return) and node.value is not None]
    return bool(kept and not returns) or any(_mentions(node.value, caught) for node in returns)


def _mentions(expression: ast.AST | None, names: set[str | None]) -> bool:
    if expression is None:
        return False
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and node.id in names:
            return True
        if isinstance(node, ast.Attribute) and node.attr in _MADE_BY_TRACEBACK:
            return True
    return False


def _json_of(text: str) -> object:
    """Give the value of a JSON text, if it could describe an error; True for other JSON, None for what is none."""
    start = text.lstrip()[:1]
    if start == "[" or (start == "{" and not _MENTIONS.search(text)):
        return True
    try:
        value: object = json.loads(text) if start else None
    except (ValueError, RecursionError):
        return None
    return True if value is None else value


def _text_in(value: object) -> str:
    if isinstance(value, str):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((text for text in inner if isinstance(text, str)), "")
