"""What libraries still had when a script was written, put back for it if its files use it.

``pandas.read_json(<text>)`` (an error since pandas 3), ``torch.load()`` of a whole model (since PyTorch 2.6) and the
names that NumPy 1.24 and 2.0 removed.
"""

import builtins
import importlib
import io
import os
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

Say = Callable[[str, str], None]

_NOT_OWN = {"site-packages", "azureml-models", "node_modules", "__pycache__"}
_MOST_FILES, _MOST_BYTES = 200, 1 << 20
_REMOVED = {
    **{name: getattr(builtins, name) for name in ("float", "int", "bool", "object", "str", "complex")},
    **{"NaN": float("nan"), "NAN": float("nan"), "Inf": float("inf"), "Infinity": float("inf"), "infty": float("inf")},
    **{"PINF": float("inf"), "NINF": float("-inf")},
}
_RENAMED = {"float_": "float64", "complex_": "complex128", "unicode_": "str_", "string_": "bytes_"}
_RENAMED |= {"product": "prod", "cumproduct": "cumprod", "alltrue": "all", "sometrue": "any", "in1d": "isin"}
_RENAMED |= {"row_stack": "vstack", "trapz": "trapezoid"}
_NUMPY = re.compile(r"\b(?:np|numpy)\.(" + "|".join([*_REMOVED, *_RENAMED]) + r")\b")


def put_back(directory: Path, say: Say) -> None:
    """Put back what the Python files of a folder use and the installed libraries no longer have."""
    text = "\n".join(_sources(directory))
    if "read_json" in text and find_spec("pandas") is not None:
        _put_back_read_json(importlib.import_module("pandas"), say)
    if "torch.load(" in text and "weights_only" not in text and find_spec("torch") is not None:
        os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        say("torch.load(<whole model>)", "put back")
    if names := sorted(set(_NUMPY.findall(text))):
        numpy = importlib.import_module("numpy")
        for name in names:
            if name not in vars(numpy):
                setattr(numpy, name, _REMOVED[name] if name in _REMOVED else getattr(numpy, _RENAMED[name]))
                say(f"numpy.{name}", "put back")


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


def _put_back_read_json(pandas: Any, say: Say) -> None:
    original = pandas.read_json
    if getattr(original, "__scoring__", False) or int(pandas.__version__.partition(".")[0]) < 2:
        return

    def read_json(path_or_buf: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(path_or_buf, str) and path_or_buf.lstrip()[:1] in ("{", "["):
            path_or_buf = io.StringIO(path_or_buf)
        return original(path_or_buf, *args, **kwargs)

    read_json.__scoring__ = True  # type: ignore[attr-defined]
    pandas.read_json = read_json
    say("pandas.read_json(<text>)", "put back")
