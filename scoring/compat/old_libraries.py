"""What NumPy 1, pandas 1 and SciPy 1.1 had when a script was written, put back for it where its files use it.

So is ``torch.load()`` of a whole model, an error since PyTorch 2.6. Said when put back, or when first used if another
class may be meant: a list has ``append()`` too. What nothing can stand for is an error that says what to write.
"""

import ast
import builtins
import datetime
import functools
import importlib
import inspect
import io
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from operator import attrgetter
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

import numpy as np

Say = Callable[[str, str], None]

_NOT_OWN = {"site-packages", "azureml-models", "node_modules", "__pycache__"}
_MOST_FILES, _MOST_BYTES = 200, 1 << 20
_REMOVED: dict[str, Any] = {
    **{f"numpy.{name}": getattr(builtins, name) for name in ("float", "int", "bool", "object", "str", "complex")},
    **dict.fromkeys((f"numpy.{name}" for name in ("Inf", "Infinity", "infty", "PINF")), float("inf")),
    **{"numpy.NaN": np.nan, "numpy.NAN": np.nan, "numpy.NINF": -np.inf, "numpy.PZERO": 0.0, "numpy.NZERO": -0.0},
    **{"numpy.unicode": str, "numpy.issubclass_": issubclass, "numpy.alen": len, "numpy.loads": pickle.loads},
    **{"numpy.asscalar": lambda a: a.item(), "numpy.msort": lambda a: np.sort(a, axis=0)},
    "numpy.in1d": lambda ar1, ar2, *args, **more: np.isin(np.ravel(ar1), ar2, *args, **more),
    "numpy.asfarray": lambda a, dtype=float: np.asarray(a, dtype if np.issubdtype(dtype, np.inexact) else float),
    **{"pandas.np": np, "pandas.datetime": datetime.datetime},
    "mlflow.pyfunc.scoring_server.infer_and_parse_json_input": lambda json_input, schema=None: _parsed(
        json_input, schema
    ),
}
_NUMPY = {"float_": "float64", "complex_": "complex128", "unicode_": "str_", "string_": "bytes_", "bool8": "bool_"}
_NUMPY |= {"object0": "object_", "int0": "intp", "uint0": "uintp", "cfloat": "complex128", "longfloat": "longdouble"}
_NUMPY |= {"singlecomplex": "complex64", "clongfloat": "clongdouble", "longcomplex": "clongdouble", "str0": "str_"}
_NUMPY |= {"bytes0": "bytes_", "void0": "void", "product": "prod", "cumproduct": "cumprod", "alltrue": "all"}
_NUMPY |= {"sometrue": "any", "row_stack": "vstack", "trapz": "trapezoid", "mat": "asmatrix", "rank": "ndim"}
_NUMPY |= {"round_": "round"} | {
    name: f"exceptions.{name}" for name in ("AxisError", "ComplexWarning", "VisibleDeprecationWarning")
}
_RENAMED = {f"numpy.{name}": f"numpy.{now}" for name, now in _NUMPY.items()}
_RENAMED |= {"pandas.io.json.json_normalize": "pandas.json_normalize"}
_RENAMED |= {f"scipy.misc.{name}": f"scipy.special.{name}" for name in ("comb", "factorial", "logsumexp")}
_RENAMED |= {f"scipy.signal.{name}": f"scipy.signal.windows.{name}" for name in ("hann", "hamming", "blackman")}

_TF1 = (
    "Session placeholder ConfigProto GraphDef gfile contrib layers logging get_variable read_file reset_default_graph"
)
_TF1 += " get_default_graph global_variables_initializer"
_USE_V1 = "it is of TensorFlow 1: write `import tensorflow.compat.v1 as tf` and `tf.disable_v2_behavior()`"
_USE_PILLOW = "scipy.misc has no pictures any more: use Pillow"
_INSTEAD = {
    **{f"tensorflow.{name}": _USE_V1 for name in _TF1.split()},
    **{f"scipy.{name}": _USE_PILLOW for name in ("imread", "imresize", "imsave", "imrotate", "toimage", "fromimage")},
    **{f"pandas.{name}Index": "write pd.Index(…, dtype=…)" for name in ("Int64", "UInt64", "Float64")},
    **dict.fromkeys(("pandas.week", "pandas.weekofyear"), "write .isocalendar().week"),
    "pandas.ix": "write .loc for labels, .iloc for places",
    "pandas.is_monotonic": "write .is_monotonic_increasing",
}
"""Library and attribute that are gone, without anything that could stand for them → what to write."""


def instead(error: BaseException) -> str:
    """Give what to write in place of the attribute or the import that an error found missing; empty if unknown."""
    name, owner = getattr(error, "name", ""), ""
    if isinstance(error, AttributeError):
        owner = error.obj.__name__ if isinstance(error.obj, ModuleType) else type(error.obj).__module__
    elif isinstance(error, ImportError) and (found := re.match(r"cannot import name '(\w+)'", str(error))):
        name, owner = found[1], error.name or ""
    return _INSTEAD.get(f"{owner.partition('.')[0]}.{name}", "")


def put_back(directory: Path, say: Say) -> None:
    """Put back what the Python files of a folder use and the installed libraries no longer have."""
    libraries = ("mlflow", "numpy", "pandas", "scipy", "torch")
    texts = (text for text in _sources(directory) if any(name in text for name in libraries))
    used = {form for text in texts for form in _forms(text)}
    if "torch.load" in used and "torch.load(weights_only=)" not in used and find_spec("torch") is not None:
        os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        say("torch.load(<whole model>)", "put back")
    for name in sorted(used.intersection((*_REMOVED, *_RENAMED))):
        place, _, attribute = name.rpartition(".")
        with suppress(ImportError):  # not installed
            if attribute not in vars(owner := importlib.import_module(place)):
                setattr(owner, attribute, _REMOVED[name] if name in _REMOVED else resolve_name(_RENAMED[name]))
                say(name, "put back")
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


def _parsed(json_input: str, schema: Any) -> Any:
    """Give what MLflow 1 made of a body, which did not name its form: records, a split frame, or a tensor."""
    body = json.loads(json_input)
    if isinstance(body, list) or not {"instances", "inputs"} & body.keys():
        body = {"dataframe_records" if isinstance(body, list) else "dataframe_split": body}
    return resolve_name("mlflow.pyfunc.scoring_server.infer_and_parse_data")(body, schema)


def _get_value(frame: Any, index: Any, col: Any, takeable: bool = False) -> Any:
    return (frame.iat if takeable else frame.at)[index, col]


Made = Callable[[Any, Callable[[], None]], Any]
"""Makes what is put back of what is there, which it gives if that will do; calls back where the old form is used."""

_DROP = _in_order("labels", "axis", "index", "columns", "level", "inplace", "errors")
_CONCAT = _in_order("axis", "join", "ignore_index", "keys", "levels", "names")
_UPPER = _gone(lambda self, threshold: self.clip(None, threshold))
_COUNTS = _gone(lambda values, **more: resolve_name("pandas.Series")(values).value_counts(**more))
_MAD = _gone(lambda self: (self - self.mean()).abs().mean())
_PANDAS: tuple[tuple[str, tuple[str, ...], Made], ...] = (
    ("pandas.read_json", ("read_json",), _read_json),
    (".append", ("DataFrame.append", "Series.append"), _gone(_append)),
    (".iteritems", ("DataFrame.iteritems", "Series.iteritems"), _gone(lambda self: self.items())),
    (".applymap", ("DataFrame.applymap",), _gone(lambda self, func, **more: self.map(func, **more))),
    (".as_matrix", ("DataFrame.as_matrix", "Series.as_matrix"), _gone(_matrix)),
    (".get_values", ("DataFrame.get_values", "Series.get_values"), _gone(_matrix)),
    (".get_value", ("DataFrame.get_value",), _gone(_get_value)),
    (".ravel", ("Series.ravel",), _gone(lambda self, order="C": self.to_numpy().ravel(order))),
    (".clip_lower", ("DataFrame.clip_lower", "Series.clip_lower"), _gone(lambda self, threshold: self.clip(threshold))),
    (".clip_upper", ("DataFrame.clip_upper", "Series.clip_upper"), _UPPER),
    ("pandas.value_counts", ("value_counts",), _COUNTS),
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
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
            names |= dict.fromkeys([module], module)
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
    parts, root = [node.attr], node.value
    while isinstance(root, ast.Attribute):
        parts, root = [root.attr, *parts], root.value
    if isinstance(root, ast.Name) and root.id in names:
        yield ".".join([names[root.id], *parts])


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
