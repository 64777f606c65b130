"""Did a script return the exception that it caught, as if it were its prediction?

Of 202 public scripts 52 do. Nobody can know for sure; the rule is made so that it is silent about honest predictions. A
result is suspect if it is

1. an exception;
2. an object whose fields describe an error (error, message, status, traceback…), say of what (id, time…), hold nothing,
   or hold an answer, and no answer but a text, and

   - a text in a field called error or exception, and a status that says failure;
   - such a text, or one beside such a status, and either the script's file has an except clause that gives back
     something made of the exception, or the text reads like one of Python's errors;
   - else any text that reads like one of Python's errors, from a file with such an except clause, unless a status says
     that all is well;
3. such a text in a field called error beside any answer, if both of that holds: the clause and how it reads;
4. such an object or a text together with a status of 400 and more, in a tuple or a list;
5. a text, from a file with such an except clause, if it reads like one of Python's errors, or if this script's other
   results are no plain texts;
6. None, if run() gives nothing only where an except clause of its own ends without return and raise.

A list of one, and a text that is JSON, count as what is in them. A text that stands in the script's file, outside of an
except clause, is the script's own and no exception's. 0 and false are answers.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_NAMES = {"error", "errors", "exception", "err", "errormessage", "error_message", "errormsg", "error_msg", "errmsg"}
_ANSWERS = {"result", "results", "prediction", "predictions", "output", "outputs", "response", "answer", "body", "data"}
_STATUS = {"status", "statuscode", "status_code", "code"}
_TELLS = {"message", "msg", "detail", "details", "reason", "traceback", "trace", "stacktrace", "stack_trace"}
_OF_WHAT = {"id", "request_id", "requestid", "device_id", "deviceid", "timestamp", "time", "input", "inputs"}
_BESIDE = _NAMES | _ANSWERS | _STATUS | _TELLS | _OF_WHAT
_BESIDE |= {"type", "error_type", "errortype", "exception_type", "exceptiontype", "success", "ok"}
_WELL = {"ok", "success", "succeeded", "normal", "info", "warning", "alert", "alarm", "critical"}
_FAILED = {"error", "failed", "failure", "fail", "exception"}
_MENTIONS = re.compile("err|exception|fail", re.IGNORECASE)
_IS_LIST = re.compile(r"\[\s*([\[{\"\]\d-]|null|true|false|NaN|Infinity)")
_MUCH = 4000
"""Characters over which a text is no error's, unless it mentions one."""

_ERRORS = re.compile(
    r"^[\w.]*(Error|Exception|Interrupt|Iteration)\b|^Traceback \(|^'[^']*'$|Expecting |could not convert|"
    r"^\[(Errno \d|ONNXRuntimeError)|^<class '|^(?i:an? )?(\w+ ){0,2}(?i:error|exception)\b[^:]{0,40}: |^\w+ failed: |"
    r"out of (range|bounds)|has no attribute|unsupported operand|invalid literal|object is not|not supported between|"
    r"(is|are) not defined|No such file|missing \d+ required|must be .{1,60}, not |list indices|not in index|"
    r"cannot (be |convert|reshape)|[Ee]xpected .*(array|input|shape)|NoneType|division by zero"
)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_MADE_BY_TRACEBACK = {"format_exc", "exc_info", "format_exception", "print_exc"}


class Swallowed:
    """One script's memory of what its results look like."""

    def __init__(self, run: Callable[..., object]) -> None:
        """Look for an except clause that gives back the exception, in run() or what its file has beside init()."""
        code = getattr(inspect.unwrap(run), "__code__", None)
        tree = ast.Module([], [])
        with suppress(OSError, SyntaxError, ValueError):
            tree = ast.parse(Path(code.co_filename).read_bytes()) if code else tree
        self._returns_caught = any(map(_gives_back, _handlers(tree)))
        self._own = frozenset(_own_texts(tree))
        self._none_is_caught = _drops(tree, getattr(inspect.unwrap(run), "__name__", ""))
        self._gives_values = False

    def is_in(self, result: object) -> bool:
        """Say whether a result looks like a caught exception."""
        if result is None:
            return self._none_is_caught
        result = _bare(result)
        if isinstance(result, BaseException):
            return True
        if isinstance(result, str):
            is_own = result in self._own
            return self._returns_caught and not is_own and (self._gives_values or reads_like_an_error(result))
        self._gives_values = True
        if isinstance(result, list | tuple) and len(result) == 2 and _says_failure(result[1]):
            told = _bare(result[0])
            is_pair = isinstance(result, tuple) and self._returns_caught
            return bool(text := _text_in(told, self._own)) and (is_pair or reads_like_an_error(text))
        return isinstance(result, dict) and self._is_in_fields(result)

    def _is_in_fields(self, result: Mapping[object, object]) -> bool:
        if not result or len(result) > len(_BESIDE) or (has_other := _has_other(result)):
            return False
        fields = {str(name).lower(): value for name, value in result.items()}
        told = next((text for name in fields.keys() & _NAMES if (text := _text_in(fields[name], self._own))), "")
        is_caught = bool(told) and self._returns_caught and reads_like_an_error(told)
        answers = [_bare(value) for name, value in fields.items() if name in _ANSWERS and _is_there(value)]
        if not is_caught and len(answers) == 1 and isinstance(answers[0], dict):
            return self._is_in_fields(answers[0])
        answered = [answer for answer in answers if isinstance(answer, str)]
        if is_caught or has_other is None or len(answered) < len(answers):
            return is_caught
        failed = any(_says_failure(fields.get(name)) for name in _STATUS)
        failed = failed or any(fields.get(name) is False for name in ("success", "ok"))
        failed = failed or any(fields.get(name) is True for name in _NAMES)
        if told:
            is_honest = any(text.lower() not in _FAILED and not reads_like_an_error(text) for text in answered)
            return not is_honest and (failed or self._returns_caught or reads_like_an_error(told))
        texts = answered + [text for name in fields.keys() & _TELLS if (text := _text_in(fields[name], self._own))]
        if not texts or not (failed or self._returns_caught) or any(map(_says_well, map(fields.get, _STATUS))):
            return False
        return any(map(reads_like_an_error, texts)) or (failed and self._returns_caught)


def reads_like_an_error(text: str) -> bool:
    """Say whether a text is what Python's exceptions say."""
    return _ERRORS.search(text[:1000]) is not None


def _drops(tree: ast.Module, name: str) -> bool:
    """Say whether a function gives nothing only where an except clause of its own ends so."""
    bodies = [node.body for node in tree.body if isinstance(node, _FUNCTION) and node.name == name]
    if not bodies or any(map(_is_nothing, _returns(bodies[-1]))):
        return False
    return _gives(bodies[-1], caught=False) and not _gives(bodies[-1], caught=True)


def _returns(body: Iterable[ast.AST]) -> Iterator[ast.Return]:
    """Give the returns of a function's own that are in no except clause."""
    for node in body:
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, (ast.ExceptHandler, ast.Lambda, *_FUNCTION)):
            yield from _returns(ast.iter_child_nodes(node))


def _is_nothing(end: ast.Return) -> bool:
    return end.value is None or (isinstance(end.value, ast.Constant) and end.value.value is None)


def _gives(body: Sequence[ast.stmt], *, caught: bool) -> bool:
    """Say whether a block never ends without a value, or without raising; in its except clauses too if ``caught``."""
    match body[-1]:
        case ast.Return() as end:
            return not _is_nothing(end)
        case ast.Raise():
            return True
        case ast.If(body=then, orelse=other):
            return bool(other) and _gives(then, caught=caught) and _gives(other, caught=caught)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return _gives(inner, caught=caught)
        case ast.Try(body=inner, handlers=handlers, orelse=other):
            ends = _gives(other or inner, caught=caught)
            return ends and (not caught or all(_gives(each.body, caught=True) for each in handlers))
    return False


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
    return expression is not None and any(
        (isinstance(node, ast.Name) and node.id in names)
        or (isinstance(node, ast.Attribute) and node.attr in _MADE_BY_TRACEBACK)
        for node in ast.walk(expression)
    )


def _bare(result: object) -> object:
    """Give what is in a list of one and in a text that is JSON."""
    for _ in range(3):
        if isinstance(result, str):
            if (value := _json_of(result)) is None:
                break
            result = value
        elif isinstance(result, list | tuple) and len(result) == 1:
            result = result[0]
        else:
            break
    return result


def _json_of(text: str) -> object:
    """Give the value of a JSON text, if it could describe an error; True for other JSON, None for what is none."""
    start = text.lstrip()[:1]
    if not start or (start == "[" and not (_IS_LIST.match(text.lstrip()) and text.rstrip().endswith("]"))):
        return None
    if start in "[{" and len(text) > _MUCH and not _MENTIONS.search(text):
        return True
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return True if value is None else value


def _says_failure(status: object) -> bool:
    """Say whether a status is one of HTTP's from 400 on, or a word for failure."""
    if isinstance(status, str):
        return status.lower() in _FAILED or (status.isdecimal() and 400 <= int(status[:4]) < 600)
    return type(status) is int and 400 <= status < 600


def _says_well(status: object) -> bool:
    """Say whether a status is a word for what is no failure of the script, or one of HTTP's below 400."""
    return status.lower() in _WELL if isinstance(status, str) else type(status) is int and 0 <= status < 400


def _is_there(answer: object) -> bool:
    """Say whether a field holds something: 0 and false are that."""
    return bool(answer) if isinstance(answer, str | list | tuple | dict | None) else True


def _has_other(result: Mapping[object, object]) -> bool | None:
    """Say whether a field whose name is of no error holds something, as most predictions have; None: only a zero."""
    found: bool | None = False
    for name, value in result.items():
        if str(name).lower() not in _BESIDE and _is_there(value):
            if not isinstance(value, int | float) or value:
                return True
            found = None
    return found


def _text_in(value: object, own: frozenset[str]) -> str:
    """Give the first text in a value that is not one of the script's own; empty without one."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
    return next((text for text in inner if isinstance(text, str) and text and text not in own), "")


def _own_texts(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        elif not isinstance(child, ast.ExceptHandler):
            yield from _own_texts(child)
