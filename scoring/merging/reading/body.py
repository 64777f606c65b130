"""Reads the body of one function of a script: what it changes, and what its result may reach; calls: see calls.py.

Every expression has a level: what could a change of its value reach?
"""

import ast
import builtins
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from .known import CLOCK, READING, SCORING, may_write
from .libraries import MISSING, Stranger, is_constant
from .reader import HOLDS, MODEL, OWN, SHARED, FunctionNode, Reader, StandsAgainst

_PARTS = (ast.expr, ast.stmt, ast.ExceptHandler)
_HEAP_TYPE = 1 << 9  # the flag of a class that can be changed

_CAPS: dict[type[ast.AST], int] = {
    **dict.fromkeys((ast.Compare, ast.JoinedStr, ast.FormattedValue, ast.Expr, ast.If, ast.Try), OWN),
    **dict.fromkeys((ast.Raise, ast.Assert, ast.Pass, ast.Break, ast.Continue, ast.Global), OWN),
    **dict.fromkeys((ast.BinOp, ast.UnaryOp, ast.List, ast.Tuple, ast.Set, ast.Dict), HOLDS),
    **dict.fromkeys((ast.BoolOp, ast.IfExp, ast.Slice, ast.Await), MODEL),
}
"""What is read by its parts alone → the level that it has at most. None of it sets a name: that needs _set()."""

_UNSET = -1


class Body(ast.NodeVisitor):
    """Reads the body of one function for one form of its arguments; ``visit`` gives the level of an expression."""

    def __init__(self, reader: Reader, function: FunctionType, node: FunctionNode, levels: Sequence[int]) -> None:
        self.reader, self._function, self._node = reader, function, node
        self._file = Path(function.__code__.co_filename).name
        code = function.__code__
        self._locals = dict.fromkeys(reader.locals_of(function, node), _UNSET)
        self._locals.update(zip(code.co_varnames, levels, strict=False))
        self._locals.update({each.arg: SHARED for each in (node.args.vararg, node.args.kwarg) if each})
        self._scopes = [self._locals]  # and those of the lambdas and comprehensions that are being read
        self._imported: dict[str, object] = {}
        self._used: dict[str, ast.AST] = {}
        self._result = OWN

    def read(self) -> int:
        """Read until nothing new is found; give the level of the result."""
        before: object = None
        while before != (before := (dict(self._locals), self._result, self.reader.mixes)):
            self._visit_all(self._node.body)
        for name, node in self._used.items():
            if self._locals[name] == _UNSET:
                raise self.stands(node, f"uses {name}, which is set in no way that is understood")
        return self._result

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def stands(self, node: ast.AST, what: str) -> StandsAgainst:
        """Give what is raised against a line."""
        return StandsAgainst(f"{self._file} line {getattr(node, 'lineno', self._node.lineno)} {what}")

    def generic_visit(self, node: ast.AST) -> int:
        """Read what is known by its parts; nothing else is understood."""
        if type(node) not in _CAPS:
            raise self.stands(node, f"has what is not understood ({type(node).__name__})")
        parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, _PARTS)]
        return min(_CAPS[type(node)], max([self.visit(part) or OWN for part in parts], default=OWN))

    # Statements

    def visit_While(self, node: ast.While) -> int:
        """Refuse a loop that may have no end."""
        raise self.stands(node, "has a while loop, which might not end with the values that a trial makes up")

    def visit_Return(self, node: ast.Return) -> None:
        """Note what is given."""
        self._result = max(self._result, self.visit(node.value) if node.value else OWN)

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> int:
        """Give names the level of what they get, which is that of the expression too."""
        if node.value is None and isinstance(node.target, ast.Name):
            return OWN
        level: int = self.visit(node.value) if node.value else OWN
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self._bind(target, level)
        return level

    visit_AnnAssign = visit_NamedExpr = visit_Assign  # noqa: N815 - ast's names

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Take it for a change of what is there: lists and arrays are."""
        level = self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._bind(node.target, min(HOLDS, level))
            self.change(node.target, node, level)
        else:
            self._bind(node.target, level)
            self.change(node.target, node)  # what is there may be a list that is in two places

    def visit_For(self, node: ast.For) -> None:
        """Read a loop over what has an end."""
        self._bind(node.target, inside(self.visit(node.iter)))
        self._visit_all([*node.body, *node.orelse])

    def visit_With(self, node: ast.With) -> None:
        """Read what is opened: calls that are harmless."""
        for each in node.items:
            level = self.visit(each.context_expr)
            if each.optional_vars is not None:
                self._bind(each.optional_vars, level)
        self._visit_all(node.body)

    def visit_Delete(self, node: ast.Delete) -> None:
        """Take it for a change of what it is deleted from."""
        for target in node.targets:
            self._bind(target, OWN)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Take what is caught for something from outside: it may come from anywhere and hold anything."""
        if node.type:
            self.visit(node.type)
        if node.name:
            self._set(node.name, node, SHARED)
        self._visit_all(node.body)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Take what is imported already, under a name that stands for nothing else."""
        for alias in node.names:
            top = alias.name.split(".")[0]
            if isinstance(node, ast.Import):
                found: object = sys.modules.get(alias.name) and sys.modules.get(alias.name if alias.asname else top)
            else:
                module = None if node.level else sys.modules.get(node.module or "")
                found = self.reader.libraries.attribute(module, alias.name)
            if found is None or found is MISSING:
                raise self.stands(node, "imports within a function")
            name = alias.asname or top
            if self._imported.get(name) is not found:
                self._set(name, node, OWN)
            self._imported[name] = found

    visit_ImportFrom = visit_Import  # noqa: N815 - ast's name

    def _scope(self, name: str) -> dict[str, int]:
        """Give the levels of the scope that a name belongs to; empty if it is from outside of the function."""
        return next((scope for scope in reversed(self._scopes) if name in scope), {})

    def _set(self, name: str, node: ast.AST, level: int) -> None:
        """Note a way in which a name is set: every way there is comes here, or is not understood."""
        scope = self._scope(name)
        if not scope:
            raise self.stands(node, f"sets {name}, which outlives the call")
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        if scope is self._locals and (name in self._imported or (is_import and scope[name] != _UNSET)):
            raise self.stands(node, f"uses the name {name} for two things")
        scope[name] = max(scope[name], level)

    def _bind(self, target: ast.expr, level: int) -> None:
        match target:
            case ast.Name(id=name):
                self._set(name, target, level)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for each in targets:
                    self._bind(each, inside(level))
            case ast.Starred(value=value):
                self._bind(value, min(HOLDS, level))
            case ast.Subscript(value=value, slice=index):
                self.visit(index)
                self.change(value, target, level)
            case ast.Attribute(value=value):
                self.change(value, target, level)
            case _:
                raise self.stands(target, "sets what is not understood")

    def change(self, changed: ast.expr, node: ast.AST, *levels: int) -> None:
        """Note that something is changed, and what is put into it."""
        if self.visit(changed) >= SHARED or self.outside(changed) is not MISSING:
            raise self.stands(node, f"changes {ast.unparse(changed)[:60]}, which may outlive the call")
        if max(levels, default=OWN) > OWN:
            self.reader.mixes = True

    # Expressions

    def visit_Constant(self, node: ast.Constant) -> int:
        """Refuse a text by which the clock is read."""
        if isinstance(node.value, str) and CLOCK.fullmatch(node.value):
            raise self.stands(node, f"has the text {node.value!r:.40}, by which the clock may be read")
        return OWN

    def visit_Subscript(self, node: ast.Subscript | ast.Starred) -> int:
        """Give the level of what is inside."""
        if isinstance(node, ast.Subscript):
            self.visit(node.slice)
        return inside(self.visit(node.value))

    visit_Starred = visit_Subscript  # noqa: N815 - ast's name

    def visit_Lambda(self, node: ast.Lambda) -> int:
        """Read it at once, for arguments that outlive the call."""
        given = node.args
        self._visit_all([each for each in (*given.defaults, *given.kw_defaults) if each])
        if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node.body)):
            raise self.stands(node, "sets a name within a lambda")
        each_kind = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        self._scopes.append({each.arg: SHARED for each in each_kind if each})
        self.visit(node.body)
        self._scopes.pop()
        return SHARED

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> int:
        """Give the level of a container of what is made; its names are its own, the first iterable is not in it."""
        parts = [each for generator in node.generators for each in ast.walk(generator.target)]
        names = [each.id for each in parts if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
        if len(set(names)) < len(names):
            raise self.stands(node, "uses a name for two things")
        level = self.visit(node.generators[0].iter)
        self._scopes.append(dict.fromkeys(names, _UNSET))
        for number, generator in enumerate(node.generators):
            self._bind(generator.target, inside(self.visit(generator.iter) if number else level))
            self._visit_all(generator.ifs)
        made = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        level = max(int(self.visit(each)) for each in made)
        self._scopes.pop()
        return min(HOLDS, level)

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815 - ast's names

    def visit_Name(self, node: ast.Name | ast.Attribute) -> int:
        """Give the level of a name, or of an attribute that is known to do nothing when it is read."""
        value = self.outside(node)
        if value is not MISSING:
            return self.level_of_outside(node, value)
        if isinstance(node, ast.Name):
            if not (scope := self._scope(node.id)):
                raise self.stands(node, f"uses {node.id}, which is not there")
            if scope[node.id] == _UNSET:
                if scope is not self._locals:
                    raise self.stands(node, f"uses {node.id} before it is set")
                self._used[node.id] = node
            return max(scope[node.id], HOLDS if self.reader.mixes else OWN)
        level: int = self.visit(node.value)
        if node.attr in READING or (level == MODEL and (node.attr in SCORING or node.attr.endswith("_"))):
            return inside(level)
        raise self.stands(node, f"uses .{node.attr}, which is not known to be harmless")

    visit_Attribute = visit_Name  # noqa: N815 - ast's name

    def outside(self, node: ast.expr) -> Any:
        """Give what a name from outside of the function stands for at present, or an attribute of a module or class."""
        if isinstance(node, ast.Name):
            if scope := self._scope(node.id):
                return self._imported.get(node.id, MISSING) if scope is self._locals else MISSING
            return self._function.__globals__.get(node.id, getattr(builtins, node.id, MISSING))
        if isinstance(node, ast.Attribute):
            return self.reader.libraries.attribute(self.outside(node.value), node.attr)
        return MISSING

    def level_of_outside(self, node: ast.expr, value: Any) -> int:
        """Give the level of something from outside that is used as a value; a function may be called by who gets it."""
        libraries, text = self.reader.libraries, ast.unparse(node)[:60]
        if isinstance(value, ModuleType):
            raise self.stands(node, f"uses the module {text} as a value, or changes it")
        if libraries.is_read(value):
            parameters = inspect.signature(value).parameters.values()
            self.reader.read(value, tuple(max(SHARED, self.reader.default(each)) for each in parameters))
            return SHARED
        name = libraries.name(value)
        # What can be given an attribute is no value: a class, a function. A function of numpy writes into what it
        # gets one argument too many of: see CallingBody.
        if isinstance(value, type) and (name or libraries.is_harmless_exception(value)):
            return SHARED if value.__flags__ & _HEAP_TYPE else OWN
        if is_constant(value) or (name and not may_write(name)):
            return OWN if is_constant(value) or isinstance(value, BuiltinFunctionType) else SHARED
        if isinstance(value, type | BuiltinFunctionType | FunctionType | MethodType):
            raise self.stands(node, f"uses {text}, which is not known to be harmless")
        try:
            return MODEL if libraries.look_through(value) else SHARED
        except Stranger as stranger:
            raise self.stands(node, f"uses {text}, which {stranger}") from None


def inside(level: int) -> int:
    """Give the level of what is inside of something."""
    return SHARED if level == HOLDS else level
