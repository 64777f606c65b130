"""Whether a scoring script can be loaded at all: it is compiled here, and never run."""

import ast
import dis
import re
import sys
import warnings
from pathlib import Path
from types import CodeType

from ...errors import SettingsError

_WANTED = {
    "run": "add def run(raw_data) or @batched def run(requests)",
    "init": "add def init() that loads the model",
}
# What Python 3.12 to 3.14 take and older ones do not: quotes in f-strings, t-strings, type parameters, bare excepts.
_NEWER = re.compile(r"""\b[ft]r?["']|\b(?:def|class)\s+\w+\[|^\s*(?:type|except)\s""", re.IGNORECASE)
_MAKES_NAMES = {"globals", "vars", "locals", "exec", "setattr", "__getattr__"}


def check_script(file: Path, python: str) -> None:
    """Refuse a script that no device could load, before anything is fetched or packed for it.

    Args:
        file: the script.
        python: the version that the image will have, as far as it is known, such as ``3.12``.

    Raises:
        SettingsError: it does not compile, or defines no init() or run().
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(file.read_bytes(), str(file))
            code: CodeType = compile(tree, str(file), "exec", dont_inherit=True)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        older = sys.version_info[:2] < tuple(map(int, python.split(".")))
        if older and isinstance(error, SyntaxError) and _NEWER.search(error.text or ""):
            return  # wrong for the Python here, maybe right for the image's
        place = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SettingsError(f"{file}{place} does not compile: {reason}") from error
    defined = _defined(tree, code)
    if defined is None:
        return
    for name, remedy in _WANTED.items():
        if name not in defined and not (name == "run" and "driver_module" in defined):
            raise SettingsError(f"{file} has no function {name}(): {remedy}")


def _defined(tree: ast.Module, code: CodeType) -> set[str] | None:
    """Give the names that a module's code defines in it; None if it makes some in a way that only shows as it runs."""
    nodes = list(ast.walk(tree))
    if _MAKES_NAMES & {*code.co_names} or any(isinstance(node, ast.alias) and node.name == "*" for node in nodes):
        return None
    by_functions = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return by_functions | {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
