"""From run() to all that it reaches: which functions are read, and what is known of what they use from outside."""

import ast
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from .body import MODEL, OWN, SHARED, FunctionNode, StandsAgainst
from .calls import CallingBody
from .known import is_constant, is_plain, path_of, stranger_in


def what_stands_against(run: Callable[..., object], *, text: bool) -> str:
    """Say with its line what stands against calling run() again and again; empty if nothing does.

    Args:
        run: a script's, after its init().
        text: whether its argument is a text, which nobody can change.
    """
    try:
        function = _undecorated(run)
        reader = _Reader(Path(function.__code__.co_filename).parent)
        levels = (OWN if text else SHARED,) * len(inspect.signature(function).parameters)
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
    own = Path(__file__).parents[1]
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
        self._folders = (folder, Path.cwd())
        self._trees: dict[str, ast.Module] = {}
        self._known: dict[int, tuple[object, int]] = {}

    def read(self, function: FunctionType, levels: tuple[int, ...]) -> int:
        """Read a function, for arguments of these levels."""
        key = (function.__code__, levels)
        if key not in self.levels:
            self.levels[key] = MODEL  # what a function gives that calls itself
            self.levels[key] = CallingBody(self, function, self._node(function), levels).read()
        return self.levels[key]

    def level_outside(self, value: object) -> int | str:
        """Give the level of what a function uses from outside; a text says why it is not understood."""
        if is_constant(value):
            return OWN
        if id(value) not in self._known:
            if stranger := stranger_in(value):
                return f"holds {stranger}, which is not understood"
            self._known[id(value)] = (value, SHARED if _is_data(value) else MODEL)
        return self._known[id(value)][1]

    def path(self, value: object) -> str:
        """Give where something of a library is from; empty for what is the script's own."""
        path = path_of(value)
        return "" if self._is_own(value, path) else path

    def _is_own(self, value: object, path: str) -> bool:
        """Say whether something is in a file of the script's, even one that has the name of a library."""
        module = sys.modules.get(path.rpartition(".")[0] or path)
        code = getattr(value, "__code__", None)
        file = Path(code.co_filename if code else getattr(module, "__file__", None) or sys.executable)
        return any(map(file.is_relative_to, self._folders)) and "site-packages" not in file.parts

    def _node(self, function: FunctionType) -> FunctionNode:
        code = function.__code__
        if not self._is_own(function, ""):
            raise StandsAgainst(f"{path_of(function)}() is called, which may act on the world")
        if code.co_filename not in self._trees:
            self._trees[code.co_filename] = ast.parse(Path(code.co_filename).read_bytes())
        for node in ast.walk(self._trees[code.co_filename]):
            if isinstance(node, FunctionNode) and node.name == code.co_name:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if code.co_firstlineno == first and not code.co_freevars:
                    return node
        raise StandsAgainst(f"{Path(code.co_filename).name}: the source of {code.co_name}() is not understood")


def _is_data(value: object) -> bool:
    """Say whether something is data, with no model anywhere in it."""
    if isinstance(value, dict | list | tuple | set | frozenset):
        inner = value.values() if isinstance(value, dict) else value
        return all(is_constant(each) or _is_data(each) for each in inner)
    return is_plain(value)
