"""From run() to all that it reaches: which functions are read, and what is known of what they use from outside."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from .body import MODEL, OWN, SHARED, FunctionNode, StandsAgainst
from .calls import CallingBody
from .libraries import Libraries, Stranger, is_constant


def what_stands_against(run: Callable[..., object], *, text: bool) -> str:
    """Say with its line what stands against calling run() again and again; empty if nothing does.

    Args:
        run: a script's, after its init().
        text: whether its argument is a text, which nobody can change.
    """
    try:
        function = _undecorated(run)
        reader = _Reader(Path(function.__code__.co_filename).parent)
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


class _Reader:
    """What was found out so far; see body.Reader."""

    def __init__(self, folder: Path) -> None:
        self.levels: dict[tuple[object, tuple[int, ...]], int] = {}
        self.mixes = False
        self.libraries = Libraries((folder, Path.cwd()))
        self._trees: dict[str, ast.Module] = {}

    def read(self, function: FunctionType, levels: tuple[int, ...]) -> int:
        """Read a function, for arguments of these levels."""
        key = (function.__code__, levels)
        if key not in self.levels:
            self.levels[key] = MODEL  # what a function gives that calls itself
            self.levels[key] = CallingBody(self, function, self._node(function), levels).read()
        return self.levels[key]

    def default(self, parameter: inspect.Parameter) -> int:
        """Give the level of a parameter that gets no argument."""
        if parameter.default is parameter.empty:
            return SHARED
        if is_constant(parameter.default):
            return OWN
        try:
            self.libraries.look_through(parameter.default)
        except Stranger as stranger:
            raise StandsAgainst(f"the default of {parameter.name} {stranger}") from None
        return SHARED

    def _node(self, function: FunctionType) -> FunctionNode:
        code = function.__code__
        if not self.libraries.is_own(Path(code.co_filename)):
            raise StandsAgainst(f"{function.__module__}.{code.co_name}() is called, which may act on the world")
        if code.co_filename not in self._trees:
            self._trees[code.co_filename] = ast.parse(Path(code.co_filename).read_bytes())
        for node in ast.walk(self._trees[code.co_filename]):
            if isinstance(node, FunctionNode) and node.name == code.co_name:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                is_as_told = not {"__wrapped__", "__signature__"} & vars(function).keys()
                if code.co_firstlineno == first and not code.co_freevars and is_as_told:
                    return node
        raise StandsAgainst(f"{Path(code.co_filename).name}: the source of {code.co_name}() is not understood")
