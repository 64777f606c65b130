"""What is known of libraries: which calls neither act on the world nor keep anything, and which objects only score."""

import logging
import re
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import numpy as np


def words(text: str) -> set[str]:
    """Give the words of a text."""
    return set(text.split())


_PURE_BUILTINS = words(
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset "
    "hasattr hash hex int isinstance issubclass iter len list map max min next object oct ord pow print range "
    "repr reversed round set slice sorted str sum tuple type zip"
)
_PURE_LIBRARIES = words(
    "base64 binascii cmath collections copy dataclasses datetime decimal enum fractions functools hashlib html "
    "itertools _bisect _collections _datetime _decimal _functools _hashlib _json _operator _statistics _struct "
    "json math numbers numpy operator orjson pandas re scipy sklearn statistics string struct textwrap traceback "
    "typing unicodedata zlib inference_schema scoring torch time logging"
)
_NOT_PURE = re.compile(
    r"\.(load|loadtxt|genfromtxt|fromfile|from_file|fromregex|memmap|save\w*|random\w*|rand\w*|seed|shuffle|normal|"
    r"pack_into|(get|set|local)context|setbufsize|testing|open\w*|read_\w+|write\w*|dump|to_(csv|json|pickle|sql|parquet|excel|hdf|feather|clipboard)|set_\w+|"
    r"seterr\w*|copyto|put\w*|place|fill_diagonal|now|utcnow|today|io|ctypeslib|f2py|npyio|\w*cache\w*|cached_property|"
    r"jit|hub|cuda|distributed|multiprocessing|datasets|fetch_\w+|count|cycle|manual_seed|bernoulli|multinomial|dropout|"
    r"file_digest|eval|query|rvs|ExcelWriter|ExcelFile|HDFStore|\w+_)(\.|$)"
    r"|^time\.(?!sleep$)|^logging\.(?!(debug|info|warning|error|exception|critical|log)$)|^_?operator\.(?!itemgetter$)"
    r"|^scoring\.(?!predictions\.|errors\.|compat\.\w*(schema|parameter_type))"
)

CHANGING = words(
    "append extend insert pop popitem remove clear update setdefault add discard sort reverse fill put resize "
    "partition setflags setfield itemset byteswap appendleft popleft rotate subtract move_to_end "
    "difference_update intersection_update symmetric_difference_update"
)
"""Methods that change what they are called on."""

_WRITING = {"tofile", "dump", "dumps", "ctypes"}
_TYPES = (str, bytes, int, float, complex, dict, list, tuple, set, frozenset, re.Pattern, re.Match, np.ndarray)

READING = {name for kind in _TYPES for name in dir(kind) if not name.startswith("_")} - CHANGING - _WRITING
READING |= words(
    "iloc loc iat dtypes columns values index empty drop dropna fillna rename reindex reset_index set_index "
    "sort_values sort_index head tail isna isnull notna notnull isin map apply applymap assign to_numpy to_dict "
    "to_list items groupby agg aggregate merge join melt pivot stack unstack select_dtypes infer_objects "
    "convert_dtypes abs sub mul div add_prefix add_suffix rolling shift diff pct_change quantile median mode "
    "nunique unique value_counts where mask between str dt cat get_dummies strip lower upper iterrows itertuples "
    "duplicated drop_duplicates idxmax idxmin rank clip interpolate ffill bfill corr describe transform "
    "total_seconds isoformat timestamp strftime date time year month day hour minute second weekday dayofweek "
    "dayofyear name names most_common elements detach cpu numpy item unsqueeze squeeze float double long softmax "
    "sigmoid view permute contiguous hexdigest digest getvalue tz_localize tz_convert normalize toarray todense "
    "tocsr tocsc real imag args nnz __name__"
)
"""Attributes and methods that change nothing, of plain values, arrays, frames and tensors."""

COPYING = {"copy", "astype", "tolist", "to_list", "to_dict", "to_numpy", "keys", "split", "deepcopy", "drop", "reindex"}
"""Methods that give an object of its own, though it may hold what the other one holds."""

SCORING = words(
    "predict predict_proba predict_log_proba predict_on_batch decision_function transform inverse_transform "
    "score_samples apply kneighbors run forward get_inputs get_outputs get_providers embed encode decode classify "
    "inplace_predict feature_names_in_ get_feature_names_out get_booster infer run_with_iobinding"
)
"""Methods of models that score."""

LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "isEnabledFor"}
"""Methods of loggers."""

_MODELS = words(
    "catboost category_encoders imblearn joblib keras lightgbm numpy onnxruntime pandas scipy scoring sklearn "
    "statsmodels tensorflow tf_keras torch torchvision xgboost inference_schema"
)
_PARTS = _MODELS | words(
    "builtins collections functools _thread threading weakref enum datetime pathlib decimal re types abc _abc "
    "numbers concurrent queue _queue itertools operator typing _operator fractions uuid"
)
_OPAQUE = ("scoring.onnx_model", "scoring.runner", "onnxruntime")
_MOST_PARTS = 500_000
_SCALARS = (str, bytes, int, float, complex, bool, type(None), np.generic, type(Ellipsis))
_CONTAINERS = (list, tuple, set, frozenset)


def path_of(value: object) -> str:
    """Give where a function, class or module is from, as ``numpy.linalg.norm``; empty if that is not known."""
    if isinstance(value, ModuleType):
        return value.__name__
    owner = getattr(value, "__self__", None) or getattr(value, "__objclass__", None)
    if isinstance(value, MethodType | BuiltinFunctionType) and not isinstance(owner, type | ModuleType | None):
        return ""  # of an object, which may be changed by it
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}.{getattr(value, '__name__', '')}"
    name, module = getattr(value, "__qualname__", ""), getattr(value, "__module__", None)
    if isinstance(value, np.ufunc):
        return f"numpy.{value.__name__}"
    return f"{module}.{name}" if isinstance(module, str) and name else ""


def is_pure(path: str) -> bool:
    """Say whether a call of that function or class neither acts on the world nor keeps anything."""
    top, _, rest = path.partition(".")
    if top == "builtins":
        name, _, method = rest.partition(".")
        return name in _PURE_BUILTINS and (not method or method in READING)
    return top in _PURE_LIBRARIES and not _NOT_PURE.search(path)


def is_constant(value: object) -> bool:
    """Say whether a value can never change."""
    if type(value) in (tuple, frozenset):
        return all(map(is_constant, value))  # type: ignore[call-overload]
    return type(value) in _SCALARS or isinstance(value, np.generic)


def is_logger(value: object) -> bool:
    """Say whether a value is a logger."""
    return isinstance(value, logging.Logger | logging.LoggerAdapter)


def is_model(value: object) -> bool:
    """Say whether a value is an object of a library that has models, and is called to score."""
    kind = type(value)
    name = kind.__name__.lower()
    is_object = not isinstance(value, type | np.ufunc) and "function" not in name and "method" not in name
    return is_object and kind.__module__.split(".")[0] in _MODELS


def is_plain(value: object) -> bool:
    """Say whether a value is data: lists, dicts, arrays, frames."""
    return type(value) in (dict, list, tuple, set, frozenset) or type(value).__module__.split(".")[0] in (
        "numpy",
        "pandas",
    )


def stranger_in(value: object) -> str:
    """Name the first class or function inside an object that is of no known library; empty if there is none."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) in _SCALARS or isinstance(each, np.generic) or id(each) in seen:
            continue
        seen.add(id(each))
        if len(seen) > _MOST_PARTS:
            return "more than can be looked through"
        if stranger := _strange(each):
            return stranger
        waiting += _parts(each)
    return ""


def _strange(value: object) -> str:
    is_function = isinstance(value, FunctionType | BuiltinFunctionType | np.ufunc)
    kind = value if is_function or isinstance(value, type) else type(value)
    path = path_of(value if isinstance(value, ModuleType) else kind)
    top = path.split(".")[0]
    if top not in _PARTS or (is_function and (_NOT_PURE.search(path) or (top == "builtins" and not is_pure(path)))):
        return path or str(kind)
    # An iterator is used up, a defaultdict grows by being read.
    return kind.__name__ if hasattr(value, "__next__") or hasattr(value, "default_factory") else ""  # type: ignore[attr-defined]


def _parts(value: object) -> list[object]:
    if type(value).__module__.startswith(_OPAQUE) or isinstance(value, type | ModuleType | FunctionType):
        return []
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, _CONTAINERS):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else []
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    own = list(getattr(value, "__dict__", {}).values())
    return own + [getattr(value, name) for name in ("func", "args", "keywords") if type(value).__name__ == "partial"]
