"""Whether a scoring script can be loaded at all: it is compiled and what it imports is looked for; it is never run."""

import ast
import dis
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ...errors import SettingsError
from ..environment.uv_command import python_here
from ..masking import masked
from ..programs import output_of
from .imports import DISTRIBUTIONS, Import, missing, own_modules

_WANTED = {
    "run": "add def run(raw_data) or @batched def run(requests)",
    "init": "add def init() that loads the model",
}
# What Python 3.12 to 3.14 take and older ones do not: quotes in f-strings, t-strings, type parameters, bare excepts.
_NEWER = re.compile(r"""\b[ft]r?["']|\b(?:def|class)\s+\w+\[|^\s*(?:type|except)\s""", re.IGNORECASE)
_MAKES_NAMES = {"globals", "vars", "locals", "exec", "setattr", "__getattr__"}
_HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
_COMPILE = """\
import sys, warnings
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    try:
        compile(open(name, "rb").read(), name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}" if getattr(error, "lineno", None) else ""
        sys.exit(f"{name}{line} does not compile: {getattr(error, 'msg', error)}")
"""
_FLAVOURS = ("sklearn", "lightgbm", "xgboost")
_MAX_SIZE, _NAMED = 1 << 20, 5


def check_script(files: Mapping[str, Path], python: str) -> None:
    """Refuse a script that no device could load, before anything is fetched or packed for it.

    Args:
        files: path inside the scoring directory → file, of all that is packed; with score.py, or nothing is done.
        python: the version that the image will have, as far as it is known, such as ``3.12``.

    Raises:
        SettingsError: it or a module of its own does not compile, or it defines no init() or run().
    """
    try:
        for name, tree in own_modules(files):
            with warnings.catch_warnings(action="ignore"):
                code: CodeType = compile(tree, str(files[name]), "exec", dont_inherit=True)
            if name == "score.py":
                _check_functions(files[name], _defined(tree, code))
    except OSError as error:
        raise SettingsError(f"cannot read {error.filename}: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        older = sys.version_info[:2] < tuple(map(int, python.split(".")))
        if older and isinstance(error, SyntaxError) and _NEWER.search(error.text or ""):
            return  # wrong for the Python here, maybe right for the image's
        where, place, reason = str(files["score.py"]), "", str(error)
        if isinstance(error, SyntaxError):
            where, reason = error.filename or where, error.msg
            place = f" line {error.lineno}" if error.lineno else ""
        raise SettingsError(f"{where}{place} does not compile: {reason}") from error


def check_for(files: Mapping[str, Path], python: str) -> str:
    """Refuse a script that the image's Python cannot compile, by that Python if this machine has it.

    Returns:
        A note; empty, or that there is no such Python here.

    Raises:
        SettingsError: it does not compile.
    """
    if "score.py" not in files or python == _HERE:
        return ""
    if found := python_here(python):
        own = {str(files["score.py"])}
        try:
            own.update(str(files[name]) for name, _ in own_modules(files))
        except (SyntaxError, ValueError, RecursionError) as error:  # by the grammar of this Python, not of that
            own.add(str(getattr(error, "filename", None) or files["score.py"]))
        command = [found, "-I", "-S", "-c", _COMPILE, *sorted(own)]
        code, _, err = output_of(command)
        if code:
            raise SettingsError(f"for Python {python}, which the base image has, {err.strip()}")
        return ""
    minor = int(python.partition(".")[2])
    try:
        for name, _ in own_modules(files) if minor < sys.version_info[1] else ():
            ast.parse(files[name].read_bytes(), str(files[name]), feature_version=minor)
    except SyntaxError as error:
        where = f"{error.filename} line {error.lineno} does not compile: {error.msg}"
        raise SettingsError(f"for Python {python}, which the base image has, {where}") from error
    return f"score.py was compiled by Python {_HERE} alone: there is no Python {python} here, which the base image has"


def check_needs(files: Mapping[str, Path], modules: Collection[str], python: str, environment: Path | None) -> None:
    """Refuse what could not be loaded because a package is not in the image.

    Args:
        files: as for check_script(); the registered model's too.
        modules: what the image's packages and its base have.
        python: the image's version.
        environment: the file that packages are to be added to; None without one.

    Raises:
        SettingsError: an import of score.py, a picture of scoring.json or the flavour of an MLmodel has none.
    """
    absent = list(_needed_by_models(files, modules))
    with suppress(SyntaxError, ValueError, RecursionError):  # not by the grammar of this Python
        absent += missing(files, modules, python)
    if absent:
        said = [
            f"{each.file} line {each.line} imports {each.name}" if each.line else f"{each.file} needs {each.name}"
            for each in absent
        ]
        tops = (DISTRIBUTIONS.get(each.name.partition(".")[0], each.name.partition(".")[0]) for each in absent)
        wanted = ", ".join(dict.fromkeys(tops))
        more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        place = environment.name if environment else "a requirements.txt"
        raise SettingsError(f"{'; '.join(said[:_NAMED])}{more}: nothing in the image has that, add {wanted} to {place}")


def notes_on_versions(files: Mapping[str, Path], versions: Mapping[str, str]) -> Iterator[str]:
    """Say where an MLmodel was saved with other versions than the image has: what is pickled may load and be wrong.

    Args:
        files: as for check_needs().
        versions: of the image's packages.
    """
    have = {canonicalize_name(name): version for name, version in versions.items()}
    for name, file in files.items():
        folder = name.rpartition("/")[0]
        if name.rpartition("/")[2] != "requirements.txt" or f"{folder}/MLmodel".lstrip("/") not in files:
            continue
        for line in file.read_text(encoding="utf-8", errors="replace")[:_MAX_SIZE].splitlines():
            with suppress(InvalidRequirement):
                wanted = Requirement(line.partition("#")[0].strip())
                version = have.get(canonicalize_name(wanted.name), "")
                if version and not wanted.specifier.contains(version, prereleases=True):
                    saved = masked(str(wanted))
                    yield f"the MLmodel was saved with {saved}, and the image has {version}: lock that version"


def _needed_by_models(files: Mapping[str, Path], modules: Collection[str]) -> Iterator[Import]:
    """Give what scoring.json and an MLmodel need and the image does not have."""
    if "scoring.json" in files and "PIL" not in modules and _decodes(_read(files["scoring.json"])):
        yield Import("scoring.json", 0, "PIL")
    for name, file in files.items():
        if name.rpartition("/")[2] == "MLmodel" and "score.py" not in files:
            found = _read(file)
            flavors: Any = found.get("flavors") if isinstance(found, dict) else None
            flavor = next((each for each in _FLAVOURS if each in (flavors or {})), "mlflow")
            wanted = ["yaml"] if "onnx" in (flavors or {}) else ["yaml", flavor, *(["pandas"] * (flavor != "mlflow"))]
            yield from (Import(name, 0, each) for each in wanted if not {each, "mlflow"} & {*modules})


def _read(file: Path) -> object:
    """Read JSON or YAML as far as that goes: what is wrong with it is said where it is used."""
    with suppress(OSError, ValueError, yaml.YAMLError, RecursionError):
        if file.stat().st_size <= _MAX_SIZE:
            return yaml.safe_load(file.read_text(encoding="utf-8"))
    return None


def _decodes(document: object) -> bool:
    """Say whether an input of a scoring.json is a picture."""
    inputs = document.get("inputs") if isinstance(document, dict) else None
    return isinstance(inputs, dict) and any(isinstance(each, dict) and "decode" in each for each in inputs.values())


def _check_functions(file: Path, defined: set[str] | None) -> None:
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
