"""What NumPy 1 and pandas 1 had when a script was written, put back for it where its files use it.

So is ``torch.load()`` of a whole model, an error since PyTorch 2.6. Said when put back, or when first used if another
class may be meant: a list has ``append()`` too.
"""

import ast
import builtins
import functools
import importlib
import inspect
import io
import os
import pickle
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

Say = Callable[[str, str], None]

_NOT_OWN = {"site-packages", "azureml-models", "node_modules", "__pycache__"}
_MOST_FILES, _MOST_BYTES = 200, 1 << 20
_REMOVED: dict[str, Any] = {
    **{name: getattr(builtins, name) for name in ("float", "int", "bool", "object", "str", "complex")},
    **{"NaN": float("nan"), "NAN": float("nan"), "Inf": float("inf"), "Infinity": float("inf"), "infty": float("inf")},
    **{"PINF": float("inf"), "NINF": float("-inf"), "unicode": str, "issubclass_": issubclass, "alen": len},
    **{"asscalar": lambda a: a.item(), "loads": pickle.loads},
}
_RENAMED = {"float_": "float64", "complex_": "complex128", "unicode_": "str_", "string_": "bytes_", "bool8": "bool_"}
_RENAMED |= {"object0": "object_", "int0": "intp", "uint0": "uintp", "cfloat": "complex128", "longfloat": "longdouble"}
_RENAMED |= {"product": "prod", "cumproduct": "cumprod", "alltrue": "all", "sometrue": "any", "in1d": "isin"}
_RENAMED |= {"row_stack": "vstack", "trapz": "trapezoid", "mat": "asmatrix", "rank": "ndim", "round_": "round"}
_RENAMED |= {name: f"exceptions.{name}" for name in ("AxisError", "ComplexWarning", "VisibleDeprecationWarning")}


def put_back(directory: Path, say: Say) -> None:
    """Put back what the Python files of a folder use and the installed libraries no longer have."""
    texts = (text for text in _sources(directory) if any(name in text for name in ("numpy", "pandas", "torch")))
    used = {form for text in texts for form in _forms(text)}
    if "torch.load" in used and "torch.load(weights_only=)" not in used and find_spec("torch") is not None:
        os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        say("torch.load(<whole model>)", "put back")
    if names := sorted(name for name in (*_REMOVED, *_RENAMED) if f"numpy.{name}" in used):
        numpy = importlib.import_module("numpy")
        for name in names:
            if name not in vars(numpy):
                setattr(numpy, name, _REMOVED[name] if name in _REMOVED else attrgetter(_RENAMED[name])(numpy))
                say(f"numpy.{name}", "put back")
    if "pandas" in used and find_spec("pandas") is not None:
        pandas = importlib.import_module("pandas")
        for form, paths, made in _PANDAS:
            for path in paths if form in used else ():
                _put_back(pandas, path, made, functools.partial(say, f"pandas.{path}", "put back"))


def _put_back(pandas: Any, path: str, made: "Made", said: Callable[[], None]) -> None:
    """Give pandas a name that it no longer has, or has in another form: what is made of the present one, if any."""
    place, _, name = path.rpartition(".")
    owner = attrgetter(place)(pandas) if place else pandas
    present = getattr(owner, name, None)
    if not hasattr(present, "__scoring__") and (instead := made(present, said)) is not present:
        instead.__scoring__ = True
        setattr(owner, name, functools.wraps(present)(instead) if present else instead)


def _gone(function: Callable[..., Any]) -> "Made":
    def made(present: Any, said: Callable[[], None]) -> Any:
        def put_back(*args: Any, **kwargs: Any) -> Any:
            said()
            return function(*args, **kwargs)

        return present or put_back

    return made


def _in_order(*order: str) -> "Made":
    """Take all arguments in their order, as pandas did before it wanted all but the first by name."""

    def made(present: Any, said: Callable[[], None]) -> Any:
        def in_order(first: Any, *args: Any, **kwargs: Any) -> Any:
            said()
            return present(first, **dict(zip(order, args, strict=False)), **kwargs)

        by_name = inspect.signature(present).parameters[order[1]].kind is inspect.Parameter.KEYWORD_ONLY
        return in_order if by_name else present

    return made


def _fillna(present: Any, said: Callable[[], None]) -> Any:
    def fillna(self: Any, value: Any = None, method: str | None = None, axis: Any = None, **more: Any) -> Any:
        if method is None:
            return present(self, value, axis=axis, **more)
        said()
        return (self.ffill if method in ("ffill", "pad") else self.bfill)(axis=axis, **more)

    return present if "method" in inspect.signature(present).parameters else fillna


def _read_json(present: Any, said: Callable[[], None]) -> Any:
    def read_json(path_or_buf: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(path_or_buf, str) and path_or_buf.lstrip()[:1] in ("{", "["):
            said()
            path_or_buf = io.StringIO(path_or_buf)
        return present(path_or_buf, *args, **kwargs)

    return read_json if int(importlib.import_module("pandas").__version__.partition(".")[0]) > 1 else present


def _append(
    frame: Any, other: Any, ignore_index: bool = False, verify_integrity: bool = False, sort: bool = False
) -> Any:
    pandas = importlib.import_module("pandas")
    rows = list(other) if isinstance(other, list | tuple) else [other]
    if frame.ndim == 2:
        rows = [pandas.Series(each) if isinstance(each, dict) else each for each in rows]
        if not ignore_index and any(each.ndim == 1 and each.name is None for each in rows):
            raise TypeError("Can only append a Series if ignore_index=True or if the Series has a name")
        rows = [each.to_frame().T.infer_objects() if each.ndim == 1 else each for each in rows]
    return pandas.concat([frame, *rows], ignore_index=ignore_index, verify_integrity=verify_integrity, sort=sort)


def _matrix(frame: Any, columns: Any = None) -> Any:
    return (frame if columns is None else frame[columns]).to_numpy()


Made = Callable[[Any, Callable[[], None]], Any]
"""Makes what is put back of what is there, which it gives if that will do; calls back where the old form is used."""

_DROP = _in_order("labels", "axis", "index", "columns", "level", "inplace", "errors")
_CONCAT = _in_order("axis", "join", "ignore_index", "keys", "levels", "names")
_MAD = _gone(lambda self: (self - self.mean()).abs().mean())
_PANDAS: tuple[tuple[str, tuple[str, ...], Made], ...] = (
    ("pandas.read_json", ("read_json",), _read_json),
    (".append", ("DataFrame.append", "Series.append"), _gone(_append)),
    (".iteritems", ("DataFrame.iteritems", "Series.iteritems"), _gone(lambda self: self.items())),
    (".applymap", ("DataFrame.applymap",), _gone(lambda self, func, **more: self.map(func, **more))),
    (".as_matrix", ("DataFrame.as_matrix", "Series.as_matrix"), _gone(_matrix)),
    (".get_values", ("DataFrame.get_values", "Series.get_values"), _gone(_matrix)),
    (".mad", ("DataFrame.mad", "Series.mad"), _MAD),
    (".fillna(method=)", ("DataFrame.fillna", "Series.fillna"), _fillna),
    (".drop(2)", ("DataFrame.drop", "Series.drop"), _DROP),
    ("pandas.concat(2)", ("concat",), _CONCAT),
)
"""The form that a script's file has, what is put back for it, and how."""


def _forms(text: str) -> Iterator[str]:
    """Give what a file uses: ``numpy.float``, also of np; ``.append``, ``.drop(2)``, ``.fillna(method=)``."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {each.asname or each.name.partition(".")[0]: each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").partition(".")[0]
            names |= dict.fromkeys([module], module)
            yield from (f"{node.module}.{each.name}" for each in node.names)
    yield from names.values()
    for node in nodes:
        if isinstance(node, ast.Attribute):
            yield from _attribute(node, names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for form in _attribute(node.func, names):
                yield f"{form}({len(node.args)})"
                yield from (f"{form}({each.arg}=)" for each in node.keywords)


def _attribute(node: ast.Attribute, names: dict[str, str]) -> Iterator[str]:
    yield f".{node.attr}"
    if isinstance(node.value, ast.Name) and node.value.id in names:
        yield f"{names[node.value.id]}.{node.attr}"


def _sources(directory: Path) -> Iterator[str]:
    """Give the texts of the user's own Python files; a virtual environment beside them is none of those."""
    for path in islice(_python_files(directory), _MOST_FILES):
        try:
            if path.stat().st_size <= _MOST_BYTES:
                yield path.read_text(errors="replace")
        except OSError:
            continue


def _python_files(directory: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(directory):
        inner[:] = sorted(name for name in inner if name not in _NOT_OWN and not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if name.endswith(".py"))
