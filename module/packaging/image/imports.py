"""What a scoring script imports, read without running it, and whether an image has that.

Only imports that happen whatever comes are held against it: at the top of ``score.py`` and of its own modules that it
imports, in ``init()`` and in ``run()``, outside of ``if`` and of a ``try`` that goes on without.
"""

import ast
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from scoring.compat.finder import STAND_INS

DISTRIBUTIONS = {
    **{"PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless", "dateutil": "python-dateutil"},
    **{"fitz": "pymupdf", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"},
}
"""Module → what brings it, where the names differ."""

_GONE = {
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), 12),
    **dict.fromkeys(
        ("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib"), 13
    ),
    **dict.fromkeys(
        ("nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"), 13
    ),
}
_CAME = {"annotationlib": 14, "compression": 14}
"""Modules of the standard library → the Python 3 without them any more, or the first with them."""

_HARMLESS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_PANDAS_TYPE = "inference_schema.parameter_types.pandas_parameter_type"


class Import(NamedTuple):
    """An import: where it stands, the module with its full name, and what is taken from that, modules at times."""

    file: str
    line: int
    name: str
    taken: tuple[str, ...] = ()


def parsed(file: Path) -> ast.Module:
    """Parse a script, without the warnings that are its author's; raises SyntaxError and ValueError."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(file.read_bytes(), str(file))


def own_modules(files: Mapping[str, Path]) -> Iterator[tuple[str, ast.Module]]:
    """Give name and tree of score.py and of each of its own modules that it comes to import.

    Args:
        files: path inside the scoring directory → file, of all that is packed.

    Raises:
        SyntaxError, ValueError, RecursionError: one does not parse, as ast.parse() says.
    """
    waiting, seen = ["score.py"] if "score.py" in files else [], set()
    while waiting:
        if (name := waiting.pop(0)) in seen:
            continue
        seen.add(name)
        tree = parsed(files[name])
        yield name, tree
        for each in imports_of(name, tree):
            for module in (each.name, *(f"{each.name}.{one}" for one in each.taken)):
                waiting += _own(module, files)


def imports_of(name: str, tree: ast.Module) -> Iterator[Import]:
    """Give the imports of a module that happen whatever comes."""
    package = name.split("/")[:-1]
    for node in _certain(tree.body):
        if isinstance(node, ast.Import):
            yield from (Import(name, node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield Import(name, node.lineno, base, tuple(each.name for each in node.names))


def missing(files: Mapping[str, Path], modules: Collection[str], python: str) -> list[Import]:
    """Give the imports that an image of these files and modules does not have.

    Args:
        files: as for own_modules().
        modules: what its packages and its base have: modules, and of namespaces those in them.
        python: its version, such as ``3.12``.
    """
    minor = int(python.partition(".")[2])
    standard = {name for name in sys.stdlib_module_names if minor >= _CAME.get(name, 0)}
    standard = {name for name in standard | _GONE.keys() if minor < _GONE.get(name, 99)}
    have = {*modules, *standard, *STAND_INS, "scoring", "module", "azureml"}
    found = []
    for name, tree in own_modules(files):
        for each in imports_of(name, tree):
            wanted = each._replace(name="pandas") if each.name == _PANDAS_TYPE else each
            if not (_own(wanted.name, files) or _has(wanted.name, have) or _is_folder(wanted.name, files)):
                found.append(wanted)
    return found


def _has(name: str, have: Collection[str]) -> bool:
    parts = name.split(".")
    above = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return not above.isdisjoint(have) or any(each.startswith(f"{name}.") for each in have)


def _own(name: str, files: Mapping[str, Path]) -> list[str]:
    """Give the user's own files that an import of this name runs; a module's packages above it come first."""
    parts = name.split(".")
    above = [f"{'/'.join(parts[:depth])}/__init__.py" for depth in range(1, len(parts) + 1)]
    path = "/".join(parts)
    own = [each for each in (*above, f"{path}.py") if each in files]
    return own if f"{path}.py" in files or f"{path}/__init__.py" in files else []


def _is_folder(name: str, files: Collection[str]) -> bool:
    """Say whether a name is a folder of the user's, or a compiled module of theirs."""
    path = name.replace(".", "/")
    return any(each.startswith(f"{path}/") or (each.startswith(f"{path}.") and each.endswith(".so")) for each in files)


def _certain(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Give the statements that run whatever comes, those of init() and run() among them."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _certain(node.body) if node.name in {"init", "run"} else ()
        elif isinstance(node, ast.With | ast.ClassDef):
            yield from _certain(node.body)
        elif isinstance(node, ast.Try):
            yield from () if any(map(_goes_on, node.handlers)) else _certain(node.body)
            yield from _certain(node.finalbody)
        else:
            yield node


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler may catch that a module is not there."""
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    return any(each is None or (isinstance(each, ast.Name) and each.id in _HARMLESS) for each in caught)
