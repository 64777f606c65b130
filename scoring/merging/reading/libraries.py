"""Looks at objects as they are after init(): known library functions, plain data, models; all else is a stranger."""

import _thread
import datetime
import decimal
import fractions
import functools
import gc
import inspect
import logging
import os
import pathlib
import re
import sys
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .known import FUNCTIONS, MODELS, READING, words

_SCALARS = {str, bytes, int, float, complex, bool, type(None), type(Ellipsis), range, slice, re.Pattern, uuid.UUID}
_SCALARS |= {datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone, decimal.Decimal}
_SCALARS |= {fractions.Fraction, *(set(np.sctypeDict.values()) - {np.void, np.object_})}
_ATOMS = _SCALARS | {
    object,
    type(vars(datetime)["datetime_CAPI"]),  # a pointer
    _thread.LockType,
    type(threading.RLock()),
    weakref.ref,
    type(pathlib.Path()),
    pathlib.PurePosixPath,
}
_CONTAINERS = {dict, list, tuple, set, frozenset}
_PANDAS = words("DataFrame Series Index RangeIndex MultiIndex DatetimeIndex Categorical Timestamp Timedelta")
_PARTS = MODELS | words("numpy pandas collections functools enum ctypes pyarrow msgspec pybind11_builtins")
_LIBRARIES = (sys.stdlib_module_names | _PARTS | words("joblib orjson")) - {"__main__"}
_EMPTY = {"__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__", "__firstlineno__"}
_MOST_PARTS = 500_000
_WRAPPERS: dict[type, str] = {type(np.mean): "_implementation", functools._lru_cache_wrapper: "__wrapped__"}
_WRAPPERS[MethodType] = "__func__"

MISSING = object()
"""Nothing is there, or it is not known before it is asked for."""


class Stranger(Exception):  # noqa: N818 - a finding, no failure
    """What is not understood, in the words of a sentence that begins with ``which``."""


class Libraries:
    """What the libraries that are imported have to do with the objects that a script uses."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Take the folders of the script's own files."""
        self._folders = tuple(folders)
        self._classes: dict[type, str] = {}
        self._globals: dict[str, bool] = {}
        self._names = {
            id(found): (f"{module}.{name}", found)
            for module, names in FUNCTIONS.items()
            for name, found in _listed(module, names)
        }

    def name(self, value: object) -> str:
        """Give the name of a library's function or class that is known to be harmless; empty for all others."""
        if listed := self._listed_name(value):
            return listed
        owner = inspect.getattr_static(value, "__objclass__", None) if type(value) is type(str.upper) else None
        if isinstance(value, BuiltinFunctionType | MethodType):
            owner = value.__self__
        name = getattr(value, "__name__", "") if isinstance(owner, type) else ""
        path = f"{listed}.{name}" if name and (listed := self._listed_name(owner)) else ""
        module, _, rest = path.partition(".")
        is_known = rest in FUNCTIONS.get(module, ()) or (module == "builtins" and name in READING)
        return path if is_known and self.is_librarys(value) else ""

    def _listed_name(self, value: object) -> str:
        """Give the name by which something is listed, if it is the library's own; hundreds are never asked for."""
        path, _ = self._names.get(id(value), ("", None))
        return path if path and self.is_librarys(value) else ""

    def is_own(self, file: Path) -> bool:
        """Say whether a file is the script's, even one that has the name of a library."""
        return any(map(file.is_relative_to, self._folders)) and "site-packages" not in file.parts

    def is_read(self, value: object) -> bool:
        """Say whether a function has to be read, as no library has it."""
        return isinstance(value, FunctionType) and not self.is_librarys(value)

    def attribute(self, owner: Any, name: str) -> Any:
        """Give an attribute of a module or a class without running anything of the script's; MISSING for all else."""
        if type(owner) is ModuleType:
            return vars(owner).get(name, sys.modules.get(f"{owner.__name__}.{name}", MISSING))
        if not isinstance(owner, type) or (self._strange_class(owner) and type(owner) is not type):
            return MISSING
        found = inspect.getattr_static(owner, name, MISSING)
        if not self._strange_class(owner):
            return MISSING if found is MISSING else getattr(owner, name)
        return found.__func__ if isinstance(found, staticmethod) else found

    def is_librarys(self, value: Any) -> bool:
        """Say whether a function or class is a library's own, under whatever name it is found."""
        if isinstance(value, type):
            return not self._strange_class(value)
        if type(value) in _WRAPPERS:
            return self.is_librarys(getattr(value, _WRAPPERS[type(value)]))
        if isinstance(value, FunctionType):
            return self._is_librarys_module(value.__globals__)
        if isinstance(value, np.ufunc):
            return any(set(form) - set("O->") for form in value.types)  # np.frompyfunc makes ones of objects alone
        if isinstance(value, BuiltinFunctionType):
            return isinstance(value.__self__, type | ModuleType | None)
        return type(value) is type(str.upper)

    def _is_librarys_module(self, names: dict[str, Any]) -> bool:
        name = str(names.get("__name__"))
        if name not in self._globals:
            module = sys.modules.get(name)
            file = Path(getattr(module, "__file__", None) or inspect.__file__)
            is_there = module is not None and vars(module) is names and not self.is_own(file)
            self._globals[name] = is_there and name.partition(".")[0] in _LIBRARIES
        return self._globals[name]

    def _strange_class(self, kind: type) -> str:
        """Name what is not a library's in a class; methods may be set from outside. Empty if there is nothing."""
        if kind not in self._classes:
            self._classes[kind] = ""  # while it is looked at
            self._classes[kind] = self._find_strange(kind)
        return self._classes[kind]

    def _find_strange(self, kind: type) -> str:
        for each in kind.__mro__:
            module = sys.modules.get(each.__module__)
            if each.__module__.split(".")[0] not in _LIBRARIES or not self._is_librarys_module(vars(module or sys)):
                return f"{each.__module__}.{each.__qualname__}"
            for name, member in vars(each).items():
                for function in _functions(member):
                    if not self.is_librarys(function):
                        return f"{each.__qualname__}.{name} of another"
        return ""

    def is_harmless_exception(self, kind: type) -> bool:
        """Say whether making, raising, telling and leaving an exception runs nothing of the script's."""
        return issubclass(kind, BaseException) and all(
            not self._strange_class(each)
            or (type(each) is type and all(name in _EMPTY or is_constant(found) for name, found in vars(each).items()))
            for each in kind.__mro__
        )

    def is_logger(self, value: object, method: str) -> bool:
        """Say whether a value is a logger whose method is the library's."""
        is_plain = type(value) in (logging.Logger, logging.RootLogger) and method not in vars(value)
        return is_plain and not self._strange_class(type(value))

    def is_model(self, value: object) -> bool:
        """Say whether a value is an object of a library that has models; all inside is of libraries then."""
        kind = type(value)
        is_object = not isinstance(value, type | np.ufunc | ModuleType | FunctionType | BuiltinFunctionType)
        return is_object and kind.__module__.split(".")[0] in MODELS and not hasattr(kind, "__next__")

    def look_through(self, value: object) -> bool:
        """Look at all inside a value from outside of a function.

        Returns:
            Whether there is a model in it.

        Raises:
            Stranger: it is neither plain data nor a model, or holds something of no known library.
        """
        has_model = False
        for leaf in _leaves(value):
            kind = type(leaf)
            is_frame = kind.__module__.split(".")[0] == "pandas" and kind.__name__ in _PANDAS
            if is_constant(leaf) or kind is np.ndarray or is_frame:
                continue
            if not self.is_model(leaf) and not (isinstance(leaf, type) and self.is_harmless_exception(leaf)):
                raise _stranger(kind)
            has_model = True
        seen: dict[int, object] = {}
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if type(each) in _ATOMS or id(each) in seen:
                continue
            seen[id(each)] = each
            if len(seen) > _MOST_PARTS:
                raise Stranger("holds more than can be looked through")
            waiting += self._parts(each)
        return has_model

    def _parts(self, value: Any) -> list[object]:
        """Give what a value refers to, unless it is a stranger itself."""
        kind = type(value)
        if isinstance(value, type):
            if not self.is_harmless_exception(value) and (strange := self._strange_class(value)):
                raise Stranger(f"holds {strange}, which is not understood")
            return []
        if isinstance(value, MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, (FunctionType, BuiltinFunctionType, np.ufunc, *_WRAPPERS)):
            home = str(getattr(value, "__module__", "")).split(".")[0]
            if not self.is_librarys(value) or not (self.name(value) or home in MODELS):
                raise Stranger(f"holds {home}.{getattr(value, '__qualname__', value)}, which is not understood")
            return []
        if kind is np.ndarray:
            return value.ravel().tolist() if value.dtype.hasobject else []
        if kind in _CONTAINERS or kind is OrderedDict:
            return gc.get_referents(value) if kind is OrderedDict else list(_inner(value))
        strange = self._strange_class(kind)
        is_librarys = not strange and kind.__module__.split(".")[0] in _PARTS
        # An iterator is used up, a defaultdict grows by being read.
        if not is_librarys or hasattr(kind, "__next__") or kind.__name__ in ("defaultdict", "deque"):
            raise _stranger(kind, strange)
        return gc.get_referents(value)


def _stranger(kind: type, name: str = "") -> Stranger:
    if kind is type(os.environ):
        return Stranger("anybody may set anew between two calls: read it in init()")
    return Stranger(f"holds {name or f'{kind.__module__}.{kind.__qualname__}'}, which is not understood")


def is_constant(value: object) -> bool:
    """Say whether a value can never change."""
    if type(value) in (tuple, frozenset):
        return all(map(is_constant, value))  # type: ignore[call-overload]
    return type(value) in _SCALARS or isinstance(value, np.dtype)


def _inner(container: Any) -> Iterable[object]:
    return [*container.keys(), *container.values()] if type(container) is dict else container


def _leaves(value: object) -> Iterator[object]:
    """Give what plain containers hold, at any depth."""
    if type(value) in _CONTAINERS:
        for each in _inner(value):
            yield from _leaves(each)
    else:
        yield value


def _listed(module: str, names: set[str]) -> Iterator[tuple[str, object]]:
    """Give what a module has of these names, without running anything."""
    home: dict[str, object] = getattr(sys.modules.get(module), "__dict__", {})
    for name in {*names, *home} if "*" in names else names:
        first, *parts = name.split(".")
        found = home.get(first)
        for part in parts:
            found = inspect.getattr_static(found, part, None)
        is_in_c = isinstance(found, np.ufunc | BuiltinFunctionType)
        if callable(found) and not name.startswith("_") and (is_in_c or name in names):
            yield name, found


def _functions(member: object, depth: int = 3) -> Iterator[object]:
    """Give the functions of which a member of a class is made: of a property, of what wraps a method."""
    if isinstance(member, FunctionType):
        yield member
    elif depth and type(member) not in _ATOMS and not isinstance(member, ModuleType | type):
        for each in gc.get_referents(member):
            yield from _functions(each, depth - 1)
