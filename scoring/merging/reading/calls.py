"""Reads run() and all that it calls: whether each call is harmless, and what its result may reach."""

import ast
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from .body import Body, inside
from .known import CHANGING, COPYING, IN_PLACE, LABELS, LOGGING, PARTS, PLACES, READING, SCORING, may_write
from .libraries import MISSING
from .reader import HOLDS, MODEL, OWN, SHARED, Reader, StandsAgainst

_GIVES_A_VALUE = {"len", "int", "float", "str", "bool", "hash", "isinstance", "print", "range", "repr", "round"}


def what_stands_against(run: Callable[..., object], *, text: bool) -> str:
    """Say with its line what stands against calling run() again and again; empty if nothing does.

    Args:
        run: a script's, after its init().
        text: whether its argument is a text, which nobody can change.
    """
    try:
        function = _undecorated(run)
        reader = Reader(Path(function.__code__.co_filename).parent, CallingBody)
        others = [*inspect.signature(function).parameters.values()][1:]
        levels = (OWN if text else SHARED, *map(reader.default, others))
        mixes = None
        while mixes != reader.mixes:
            mixes = reader.mixes
            reader.levels.clear()
            reader.read(function, levels)
    except StandsAgainst as sentence:
        return str(sentence)
    except Exception as error:
        return f"its source cannot be read: {type(error).__name__}: {error}"
    return ""


def _undecorated(run: Any) -> FunctionType:
    """Give run() without the decorators of inference_schema."""
    own = Path(__file__).parents[2]
    while (inner := getattr(run, "__wrapped__", None)) is not None:
        code = getattr(getattr(run, "_self_wrapper", run), "__code__", None)
        file = Path(code.co_filename) if code else Path()
        if not file.is_relative_to(own) and "inference_schema" not in file.parts:
            raise StandsAgainst("run() has a decorator that is not understood")
        run = inner
    if not isinstance(run, FunctionType):
        raise StandsAgainst("run() is no plain function")
    return run


class CallingBody(Body):
    """The body of a function with its calls."""

    def visit_Call(self, node: ast.Call) -> int:  # noqa: N802 - ast's name
        """Give the level of what a call gives, if it is harmless."""
        value = self.outside(node.func)
        name_of, places = self.reader.libraries.name, [(each, self.outside(each)) for each in node.args]
        given_functions = [each for each, it in places if not isinstance(it, type) and may_write(name_of(it))]
        arguments = [OWN if each in given_functions else self.visit(each) for each in node.args]
        named = {each.arg or "**": self.visit(each.value) for each in node.keywords}
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        is_method = owner is not None and self.outside(owner) is MISSING
        level = self.visit(owner) if given_functions and is_method and owner else OWN
        if given_functions and max(*arguments, *named.values(), level) > OWN:
            raise self.stands(node, f"gives {ast.unparse(given_functions[0])[:60]} what may outlive the call")
        self._look_at_places(node, value, [*arguments, *named.values()])
        given = [*arguments, *(level for name, level in named.items() if name not in LABELS)]
        if value is not MISSING:
            return self._call_outside(node, value, arguments, named, max(given, default=OWN))
        if isinstance(node.func, ast.Attribute):
            return self._call_method(node, node.func, given)
        if self.visit(node.func) == MODEL and not isinstance(node.func, ast.Call):
            return min(HOLDS, max(given, default=OWN))
        raise self.stands(node, f"calls {ast.unparse(node.func)[:60]}(), which is not understood")

    def _look_at_places(self, node: ast.Call, value: Any, given_levels: Sequence[int]) -> None:
        """Refuse a call that writes into what may outlive it, by whatever parameter."""
        if self.reader.libraries.is_read(value):
            return
        text = ast.unparse(node.func)[:60]
        sentence = f"lets {text}() write into what may outlive the call"
        name = self.reader.libraries.name(value)
        unknown: list[ast.expr] = [each for each in node.args if isinstance(each, ast.Starred)]
        unknown += [each.value for each in node.keywords if each.arg is None]
        if not name.startswith("builtins.") and any(self.visit(each) > OWN for each in unknown):
            raise self.stands(node, sentence)
        is_known = bool(name) and not name.startswith("builtins.")
        by_place = zip(_parameters(value) if is_known else (), node.args, strict=False)
        for parameter, given in (*by_place, *((each.arg, each.value) for each in node.keywords)):
            constant = given.value if isinstance(given, ast.Constant) else MISSING
            if parameter in PLACES and not isinstance(constant, int | None):
                if parameter != "out" or self.visit(given) > OWN:
                    raise self.stands(node, sentence)
            elif parameter in IN_PLACE and constant is not IN_PLACE[parameter]:
                # It may work in its argument's or its object's own memory: it is taken for a call that does.
                owner = node.func.value if isinstance(node.func, ast.Attribute) else None
                if owner is not None and not isinstance(self.outside(owner), ModuleType | type):
                    self.change(owner, node)
                if max(given_levels, default=OWN) > OWN:
                    raise self.stands(node, f"lets {text}() change what may outlive the call")
        if may_write(name) and _parameters(value) == () and max(given_levels[2:], default=OWN) > OWN:
            raise self.stands(node, sentence)

    def _call_outside(
        self, node: ast.Call, value: Any, arguments: Sequence[int], named: dict[str, int], given: int
    ) -> int:
        libraries, text = self.reader.libraries, ast.unparse(node.func)[:60]
        if libraries.is_read(value):
            return self.reader.read(value, self._arguments_of(value, node, arguments, named))
        if isinstance(value, type) and libraries.is_harmless_exception(value):
            return min(HOLDS, given)
        if libraries.is_model(value):
            self.level_of_outside(node.func, value)
            return min(HOLDS, given)
        name = libraries.name(value)
        if not name:
            raise self.stands(node, f"calls {text}(), which is not known to be harmless")
        if name == "builtins.next" and given >= SHARED:
            raise self.stands(node, "takes the next of what may outlive the call")
        return _of_library(name, given)

    def _arguments_of(
        self, function: FunctionType, node: ast.Call, arguments: Sequence[int], named: dict[str, int]
    ) -> tuple[int, ...]:
        # *args and **kwargs come last in a function's code.
        rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = sorted(inspect.signature(function).parameters.values(), key=lambda each: each.kind in rest)
        defaults = [self.reader.default(each) for each in parameters]
        if "**" in named or any(isinstance(each, ast.Starred) for each in node.args):
            return (SHARED,) * len(parameters)
        levels = []
        for index, (parameter, default) in enumerate(zip(parameters, defaults, strict=True)):
            by_place = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            is_given = index < len(arguments) and by_place
            levels.append(arguments[index] if is_given else named.get(parameter.name, default))
        return tuple(levels)

    def _call_method(self, node: ast.Call, method: ast.Attribute, given: Sequence[int]) -> int:
        name, most = method.attr, max(given, default=OWN)
        if name in LOGGING and self.reader.libraries.is_logger(self.outside(method.value), name):
            return OWN
        level = self.visit(method.value)
        says = [each.value for each in node.args if isinstance(each, ast.Constant)]
        if max(level, most) >= SHARED and any(isinstance(each, bool) for each in says):  # copy, inplace by position
            raise self.stands(node, f"lets {ast.unparse(method)[:60]}() change what may outlive the call")
        if name in CHANGING:
            self.change(method.value, node, *given)
            return inside(level)
        if level == MODEL and name in SCORING | PARTS:
            return level if name in PARTS else min(HOLDS, most)
        if name not in READING:
            raise self.stands(node, f"calls {ast.unparse(method)[:60]}(), which is not known to be harmless")
        if max(given[1:], default=OWN) >= SHARED and name != "get":
            raise self.stands(node, f"lets {ast.unparse(method)[:60]}() write into what may outlive the call")
        level = max(level, most)
        copies = name in COPYING and not node.args and not node.keywords
        return level if level in (OWN, MODEL) else HOLDS if copies else SHARED


def _parameters(function: Any) -> tuple[str, ...]:
    """Give the names of a library's parameters in their order; nothing if it does not tell them."""
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _of_library(path: str, given: int) -> int:
    name = path.removeprefix("builtins.")
    if name in _GIVES_A_VALUE or path in ("json.dumps", "copy.deepcopy"):
        return OWN
    if name == "type":
        return SHARED
    if name in ("max", "min", "next", "sum"):
        return inside(given)
    return min(HOLDS, given) if path.startswith("builtins.") else min(SHARED, given)
