"""Reads the calls of a function of a script: whether each is harmless, and what its result may reach."""

import ast
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from .body import HOLDS, MISSING, MODEL, OWN, SHARED, Body, inside
from .known import CHANGING, COPYING, LOGGING, READING, SCORING, is_constant, is_logger, is_model, is_pure

_GIVES_A_VALUE = {"len", "int", "float", "str", "bool", "hash", "isinstance", "print", "range", "repr", "round"}
_LABELS = {"columns", "index", "dtype", "name", "names", "axis", "by", "subset", "keys", "key", "sort_keys"}
_IN_PLACE = {"inplace", "copy", "overwrite_x", "overwrite_a", "overwrite_b"}


class CallingBody(Body):
    """The body of a function with its calls."""

    def visit_Call(self, node: ast.Call) -> int:  # noqa: N802 - ast's name
        """Give the level of what a call gives, if it is harmless."""
        value = self.outside(node.func)
        arguments = [self.visit(each) for each in node.args]
        named = {each.arg or "**": self.visit(each.value) for each in node.keywords}
        into = named.get("out", OWN)
        if into >= SHARED or _writes_into(value, self.reader.path(value), arguments):
            raise self.stands(node, f"lets {ast.unparse(node.func)[:60]}() write into what may outlive the call")
        if any(each.arg in _IN_PLACE for each in node.keywords):
            self._in_place(node, arguments)
        given = [*arguments, *(level for name, level in named.items() if name not in _LABELS)]
        if value is not MISSING:
            return self._call_outside(node, value, arguments, named, max(given, default=OWN))
        if isinstance(node.func, ast.Attribute):
            return self._call_method(node, node.func, given)
        if self.visit(node.func) == MODEL and not isinstance(node.func, ast.Call):
            return min(HOLDS, max(given, default=OWN))
        raise self.stands(node, f"calls {ast.unparse(node.func)[:60]}(), which is not understood")

    def _in_place(self, node: ast.Call, arguments: Sequence[int]) -> None:
        """Take a call that may work in its argument's or its object's own memory for one that does."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if owner is not None and self.outside(owner) is MISSING:
            self.change(owner, node)
        if max(arguments, default=OWN) >= SHARED:
            raise self.stands(node, f"lets {ast.unparse(node.func)[:60]}() change what may outlive the call")

    def _call_outside(
        self, node: ast.Call, value: Any, arguments: Sequence[int], named: dict[str, int], given: int
    ) -> int:
        path, said = self.reader.path(value), ast.unparse(node.func)[:60]
        if isinstance(value, FunctionType) and not path:
            return self.reader.read(value, self._arguments_of(value, node, arguments, named))
        if isinstance(value, type) and issubclass(value, BaseException):
            if isinstance(vars(value).get("__init__"), FunctionType):
                raise self.stands(node, f"calls {said}(), which is not understood")
            return min(HOLDS, given)
        if is_model(value):
            self.level_of_outside(node.func, value)
            return min(HOLDS, given)
        if not is_pure(path) or "file" in named:
            raise self.stands(node, f"calls {said}(), which may act on the world")
        if path == "builtins.next" and given >= SHARED:
            raise self.stands(node, "takes the next of what may outlive the call")
        return _of_library(path, given)

    def _arguments_of(
        self, function: FunctionType, node: ast.Call, arguments: Sequence[int], named: dict[str, int]
    ) -> tuple[int, ...]:
        """Give the levels of a function's parameters in this call."""
        parameters = sorted(inspect.signature(function).parameters.values(), key=_is_rest)
        if "**" in named or any(isinstance(each, ast.Starred) for each in node.args):
            return (SHARED,) * len(parameters)
        levels = []
        for index, parameter in enumerate(parameters):
            if index < len(arguments) and parameter.kind in (
                parameter.POSITIONAL_ONLY,
                parameter.POSITIONAL_OR_KEYWORD,
            ):
                levels.append(arguments[index])
            else:
                default = OWN if is_constant(parameter.default) else SHARED
                levels.append(named.get(parameter.name, default))
        return tuple(levels)

    def _call_method(self, node: ast.Call, method: ast.Attribute, given: Sequence[int]) -> int:
        name, most = method.attr, max(given, default=OWN)
        if is_logger(self.outside(method.value)) and name in LOGGING:
            return OWN
        level = self.visit(method.value)
        if name in CHANGING:
            self.change(method.value, node, *given)
            return inside(level)
        if level == MODEL and name in SCORING:
            return min(HOLDS, most)
        if name not in READING:
            raise self.stands(node, f"calls {ast.unparse(method)[:60]}(), which is not known to be harmless")
        if max(given[1:], default=OWN) >= SHARED and name != "get":
            raise self.stands(node, f"lets {ast.unparse(method)[:60]}() write into what may outlive the call")
        level = max(level, most)
        return level if level in (OWN, MODEL) else HOLDS if name in COPYING else SHARED


def _is_rest(parameter: inspect.Parameter) -> bool:
    """Say whether it is ``*args`` or ``**kwargs``, which come last in a function's code."""
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _writes_into(value: object, path: str, levels: Sequence[int]) -> bool:
    """Say whether one of the arguments by position may be where a function of numpy puts its result."""
    first = value.nin if isinstance(value, np.ufunc) else 2 if path.startswith("numpy.") else len(levels)
    return max(levels[first:], default=OWN) >= SHARED


def _of_library(path: str, given: int) -> int:
    """Give the level of what a harmless function of a library gives."""
    name = path.removeprefix("builtins.")
    if name in _GIVES_A_VALUE or path in ("json.dumps", "copy.deepcopy"):
        return OWN
    if name == "type":
        return SHARED
    if name in ("max", "min", "next", "sum"):
        return inside(given)
    return min(HOLDS, given) if path.startswith("builtins.") else min(SHARED, given)
