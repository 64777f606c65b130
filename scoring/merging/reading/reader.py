"""The functions that run() reaches, found in their source: what is known of them, and of what they use from outside."""

import ast
import inspect
import symtable
from collections.abc import Callable
from importlib.util import decode_source
from pathlib import Path
from types import FunctionType
from typing import Any

from .libraries import Libraries, Stranger, is_constant

OWN, HOLDS, SHARED, MODEL = range(4)
"""Made in this call, all of it; made in this call, and holds what outlives it; outlives it; outlives it and scores."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class StandsAgainst(Exception):  # noqa: N818 - a finding, no failure
    """What stands against calling run() again and again, in one sentence."""


class Reader:
    """What the bodies of all functions share.

    Attributes:
        levels: of the results that are known, by function and the levels of its arguments.
        mixes: whether somewhere something shared is put into something own, so that all own may hold it.
        libraries: what is known of the libraries in use.
    """

    def __init__(self, folder: Path, body: Callable[..., Any]) -> None:
        """Take the folder with the script's own files, and the class that reads a body."""
        self._body = body
        self.levels: dict[tuple[object, tuple[int, ...]], int] = {}
        self.mixes = False
        self.libraries = Libraries((folder, Path.cwd()))
        self._trees: dict[str, ast.Module] = {}

    def read(self, function: FunctionType, levels: tuple[int, ...]) -> int:
        """Give the level of a function's result for arguments of these levels; raises StandsAgainst."""
        key = (function, levels)
        if key not in self.levels:
            self.levels[key] = MODEL  # what a function gives that calls itself
            self.levels[key] = self._body(self, function, self._node(function), levels).read()
        return self.levels[key]

    def default(self, parameter: inspect.Parameter) -> int:
        """Give the level of a parameter that gets no argument: its default is there before and after the call."""
        if parameter.default is parameter.empty:
            return SHARED
        if is_constant(parameter.default):
            return OWN
        try:
            self.libraries.look_through(parameter.default)
        except Stranger as stranger:
            raise StandsAgainst(f"the default of {parameter.name} {stranger}") from None
        return SHARED

    def locals_of(self, function: FunctionType, node: FunctionNode) -> set[str]:
        """Give the names that are a function's own, as Python itself tells them."""
        file = function.__code__.co_filename
        text = decode_source(Path(file).read_bytes())
        tables: list[symtable.SymbolTable] = [symtable.symtable(text, file, "exec")]
        for table in tables:
            if isinstance(table, symtable.Function) and (table.get_name(), table.get_lineno()) == (
                node.name,
                node.lineno,
            ):
                return set(table.get_locals())
            tables += table.get_children()
        return set()

    def _node(self, function: FunctionType) -> FunctionNode:
        code = function.__code__
        if not self.libraries.is_own(Path(code.co_filename)):
            raise StandsAgainst(f"{function.__module__}.{code.co_name}() is called, which is not known to be harmless")
        if code.co_filename not in self._trees:
            self._trees[code.co_filename] = ast.parse(Path(code.co_filename).read_bytes())
        for node in ast.walk(self._trees[code.co_filename]):
            if isinstance(node, FunctionNode) and node.name == code.co_name:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                is_as_told = not {"__wrapped__", "__signature__"} & vars(function).keys()
                if code.co_firstlineno == first and not code.co_freevars and is_as_told and not _has_mangled(node):
                    return node
        raise StandsAgainst(f"{Path(code.co_filename).name}: the source of {code.co_name}() is not understood")


def _has_mangled(node: FunctionNode) -> bool:
    """Say whether a function has names that mean another one within a class."""
    names = (name for each in ast.walk(node) for _, name in ast.iter_fields(each) if isinstance(name, str))
    return any(name.startswith("__") and not name.endswith("__") for name in names)
