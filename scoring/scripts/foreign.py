"""Was a score.py written for a caller that no device has? Read before it is imported, so that it can be said at start.

ParallelRunStep and batch endpoints give run() the paths of files, or a data frame; Azure ML Workbench (2018) gave it
what a ``service_schema.json`` said. Without a sign of either, or with a decorator of ours or of Azure ML's, nothing is
refused: the rules look at what run() does, or the decorator of the same file in its place, not at how its parameter is
called. What a decorator from elsewhere makes of a message is not known: then only a file that is read counts.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ..compat.service_schema import FILE
from ..errors import ScriptError
from .kinds.run_function import HEADERS

MAX_SIZE = 2**20
"""Bytes of a script that is read at most."""

_PARALLEL = (
    "is of a ParallelRunStep or a batch endpoint, which give it paths of files or a data frame ({sign}): write "
    "`from scoring import batched`, above run() `@batched`, and `def run(requests):` that takes each decoded message "
    "where it read a file, and gives a list with one prediction for each"
)
_UNREAD = (
    "wants more than text, which is what it gets ({sign}): say with @input_schema what it wants, parse the text with "
    "json.loads(), or, if generate_schema() wrote what it wants, put that beside it as {FILE}"
)
_ON_PATHS = {"basename", "getsize", "splitext", "Path", "read_file", "read_image", "imread", "load_img", "load_dataset"}
_ON_PATHS |= {"open", "read_csv", "read_parquet", "read_json"}
_PARALLEL_RUN = re.compile(rb"^\s*(from|import)\s+azureml_user\b", re.MULTILINE)
_OURS = {"batched", "rawhttp", "input_schema", "output_schema"}
_LIST, _TEXT = frozenset(dir(list)), frozenset(dir(str))

Function = ast.FunctionDef | ast.AsyncFunctionDef
Beside = dict[str, Function]
"""The functions of a script, by name."""


def refuse_foreign(path: Path, *, has_schema: bool) -> None:
    """Read a script and refuse it if its run() cannot work with messages.

    Args:
        path: of the script; one that cannot be read is left to the import, which says why.
        has_schema: whether a service_schema.json says what run() gets.

    Raises:
        ScriptError: it is of another kind; the sentence says what to write.
    """
    try:
        source = path.read_bytes()
        tree = ast.parse(source) if len(source) <= MAX_SIZE else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return
    beside = {node.name: node for node in tree.body if isinstance(node, Function)}
    if "run" not in beside or not (names := _parameters(beside["run"])):
        return
    run, first, others = beside["run"], names[0], names[1:]
    assigned = [each.value for each in tree.body if isinstance(each, ast.Assign) and _is(each.targets[0], "run")]
    worn = [_last(each.func if isinstance(each, ast.Call) else each) for each in (*run.decorator_list, *assigned)]
    imported = [each for node in tree.body if isinstance(node, ast.ImportFrom) for each in node.names]
    if not _OURS.isdisjoint([*worn, *(each.name for each in imported if each.asname in worn)]):
        return
    where = f"{path.name} line {run.lineno}: run({', '.join(names)})"
    sign = "it imports azureml_user" if _PARALLEL_RUN.search(source) else ""
    for wrapper in (each for name in worn if name in beside for each in ast.walk(beside[name])):
        if isinstance(wrapper, Function) and wrapper is not beside.get(wrapper.name) and _parameters(wrapper):
            sign = sign or _sign_of_files(beside, wrapper, *_parameters(wrapper))
    if sign := sign or _sign_of_files(beside, run, first, *others, is_worn=bool(worn)):
        raise ScriptError(f"{where} {_PARALLEL.format(sign=sign)}")
    if worn or has_schema or first == "mini_batch":
        return
    sample = _sample_of(tree, first) if b"SampleDefinition" in source else ""
    if sign := sample or _use_beyond(run, first, _TEXT):
        raise ScriptError(f"{where} {_UNREAD.format(sign=sign, FILE=FILE)}")


def _parameters(function: Function) -> list[str]:
    return [each.arg for each in function.args.args if each.arg != HEADERS]


def _sign_of_files(beside: Beside, run: Function, first: str, *others: str, is_worn: bool = False) -> str:
    """Give what shows that run() gets files or a data frame of them; empty if nothing does."""
    if "mini_batch_context" in others:
        return "it has mini_batch_context"
    if first != "mini_batch":
        return next(_paths_read(beside, run, first), "") if _is_walked(run, first) else ""
    said = next(ast.unparse(each.annotation or ast.Name("")) for each in run.args.args if each.arg == first)
    if "str" in said or "DataFrame" in said:
        return f"mini_batch: {said}"
    return ("" if is_worn else _use_beyond(run, first, _LIST)) or next(_paths_read(beside, run, first), "")


def _paths_read(beside: Beside, run: Function, first: str) -> Iterator[str]:
    """Give the calls that read an element of the parameter as a file, in run() or in a function that gets it."""
    elements = _elements(run, first)
    calls = [node for node in ast.walk(run) if isinstance(node, ast.Call)]
    given_on = {_last(call.func) for call in calls if any(_mentions(each, *elements) for each in call.args)}
    given_on |= {each.id for call in calls for each in call.args if isinstance(each, ast.Name)}
    helpers = [each for name, each in beside.items() if name in given_on and each is not run]
    for function, names in [(run, elements), *((each, _elements(each, *_parameters(each))) for each in helpers)]:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (
                _last(node.func) in _ON_PATHS or ast.unparse(node.func).startswith("shutil.")
            ):
                is_path = any(_is(each, name) for each in node.args[:1] for name in names)
                if is_path or any(each.arg == "data_files" and _mentions(each, *names) for each in node.keywords):
                    yield ast.unparse(node)[:60]


def _elements(function: Function, *names: str) -> set[str]:
    """Give the names that stand for parameters, or for what lies in them, in loops and lambdas."""
    elements = set(names)
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.comprehension) and _mentions(node.iter, *names):
            elements.update(each.id for each in ast.walk(node.target) if isinstance(each, ast.Name))
        if isinstance(node, ast.Call) and any(_mentions(each, *names) for each in node.args):
            lambdas = [each for each in node.args if isinstance(each, ast.Lambda)]
            elements.update(each.arg for given in lambdas for each in given.args.args)
    return elements


def _is_walked(run: Function, first: str) -> bool:
    """Say whether run() goes through its parameter one by one: of a text these are characters."""
    nodes = list(ast.walk(run))
    if any(_is(node, first) and not isinstance(node.ctx, ast.Load) for node in nodes if isinstance(node, ast.Name)):
        return False
    return any(_is(node.iter, first) for node in nodes if isinstance(node, ast.For | ast.comprehension))


def _use_beyond(run: Function, first: str, known: frozenset[str]) -> str:
    """Give what run() does with its parameter that its type has not; empty if it looks at the type or fills it anew."""
    used = ""
    for node in ast.walk(run):
        if isinstance(node, ast.Name) and node.id == first and not isinstance(node.ctx, ast.Load):
            return ""
        looks = isinstance(node, ast.Call) and _last(node.func) in {"isinstance", "type", "hasattr"}
        if looks and _mentions(node, first):
            return ""
        if isinstance(node, ast.ExceptHandler) and any(_mentions(each, first) for each in node.body):
            return ""
        if isinstance(node, ast.Attribute | ast.Subscript) and _is(node.value, first):
            by_name = isinstance(node, ast.Subscript) and _is_text(node.slice)
            if by_name or (isinstance(node, ast.Attribute) and node.attr not in known):
                used = used or ast.unparse(node)
    return used


def _sample_of(tree: ast.Module, first: str) -> str:
    """Give the SampleDefinition of the parameter, if the file makes one of a data frame or an array."""
    for node in ast.walk(tree):
        for name, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if name is not None and _is_text(name, first) and "SampleDefinition(" in (made := ast.unparse(value)):
                return "" if "STANDARD" in made else made[:60]
    return ""


def _mentions(node: ast.AST, *names: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id in names for each in ast.walk(node))


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_text(node: ast.AST, text: str | None = None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and text in (None, node.value)


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
