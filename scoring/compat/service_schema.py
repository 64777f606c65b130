"""Reads ``service_schema.json``, by which Azure ML Workbench (2018) made what run() got: frames, arrays, plain values.

The rules are those of azureml-model-management-sdk 1.0 (`azureml.api.schema`). A sample's type is a pickle there; it is
read here without running anything of it.
"""

import base64
import collections
import copyreg
import datetime
import inspect
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ScriptError
from .decorators import has_schema
from .parameter_types import AbstractParameterType, NumpyParameterType, StandardPythonParameterType
from .schema_decorators import input_schema

FILE = "service_schema.json"
_INSTEAD = ": delete it and give run() @input_schema of inference_schema instead"
MAX_SIZE = 2**24
"""Bytes of it at most; an example in it may be a picture."""

_PLAIN = {kind.__name__: kind for kind in (object, str, int, float, bool, list, tuple, dict, bytes, bytearray)}
_KNOWN: dict[tuple[str, str], Any] = {
    **{("builtins", name): kind for name, kind in (_PLAIN | {"unicode": str, "long": int}).items()},
    **{("datetime", kind.__name__): kind for kind in (datetime.date, datetime.datetime, datetime.time)},
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("copyreg", "_reconstructor"): copyreg._reconstructor,  # type: ignore[attr-defined]
}


class _Schema:
    """What a pickle says of one input: a frame's ``column_names`` and types, an array's ``shape``, a ``data_type``."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Give a class by its name; anything that is no part of a schema is an error."""
        if module.startswith("azure") and name in ("PandasSchema", "NumpySchema", "PythonSchema"):
            return _Schema
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it needs {module}.{name}, which a device has not")
        return _KNOWN[module, name]


def with_service_schema(run: Callable[..., object], directory: Path) -> Callable[..., object]:
    """Give run() with its parameters converted as the folder's service_schema.json says; as it is without such a file.

    Raises:
        ScriptError: the file cannot be used, or does not fit run().
    """
    path = directory / FILE
    if not path.is_file() or has_schema(run):
        return run
    try:
        if path.stat().st_size > MAX_SIZE:
            raise ValueError(f"it has more than {MAX_SIZE} bytes")
        document = json.loads(path.read_bytes())
        inputs = document.get("input") or {}
        kinds = {name: _kind(said) for name, said in inputs.items()}
    except ImportError as error:
        raise ScriptError(f"{FILE} describes a data frame, which needs pandas: {error}") from error
    except Exception as error:  # whatever bytes that claim to be a pickle may raise
        raise ScriptError(f"{FILE} cannot be read: {error}"[:400] + _INSTEAD) from error
    parameters = inspect.signature(run).parameters
    for name, kind in kinds.items():
        if name not in parameters:
            raise ScriptError(f"{FILE} describes the parameter {name}, which run() has not{_INSTEAD}")
        run = input_schema(name, kind, optional=parameters[name].default is not inspect.Parameter.empty)(run)
    return run


def _kind(said: dict[str, Any]) -> AbstractParameterType:
    """Give the parameter type that one input of the file describes."""
    if said["internal"].startswith("{"):  # the JSON of its own types
        raise ValueError("it describes a data frame of Spark, which does not run on an edge device")
    schema = _Reader(io.BytesIO(base64.b64decode(said["internal"], validate=True))).load()
    kind: AbstractParameterType
    if hasattr(schema, "column_names"):
        from .pandas_parameter_type import ColumnsParameterType  # noqa: PLC0415 - pandas, for such a schema only

        kind = ColumnsParameterType(dict(zip(schema.column_names, schema.column_types, strict=True)))
    elif hasattr(schema, "shape"):
        kind = NumpyParameterType(np.empty((0, *schema.shape[1:]) if schema.shape else (), schema.data_type))
    else:
        # Dates have no empty value.
        plain = schema.data_type
        kind = StandardPythonParameterType(plain.min if hasattr(plain, "min") else plain())
    swagger = {"example": None} | (said.get("swagger") or {})
    kind.__dict__["input_to_swagger"] = lambda: swagger
    return kind
