"""What a pickle says of itself, read without unpickling it: its libraries, scikit-learn's version, its features."""

import bz2
import json
import lzma
import pickletools
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from ...errors import SettingsError

MAX_SIZE = 2**28
"""Bytes that are read at most, and of a compressed file are unpacked."""

MOST_FEATURES = 100_000

_zlib = partial(zlib.decompressobj, wbits=47)
_PACKED: dict[bytes, Callable[[], Any]] = {b"x": _zlib, b"\x1f\x8b": _zlib, b"BZh": bz2.BZ2Decompressor}
_PACKED |= {b"\xfd7zXZ": lzma.LZMADecompressor, b"]\x00\x00": lzma.LZMADecompressor}
"""How a compressed pickle begins → what unpacks it, of joblib's own compressions those that need no library."""

_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost-cpu",  # XGBoost without CUDA, a tenth as large
    "catboost": "catboost",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
    "statsmodels": "statsmodels",
    "scipy": "scipy",
    "pandas": "pandas",
    "torch": "torch",
    "azureml.automl.core": "azureml-automl-core",
    "azureml.automl.runtime": "azureml-automl-runtime",
    "azureml.training.tabular": "azureml-training-tabular",
}
"""Libraries whose objects people pickle: import name → distribution."""

# A text stands in a pickle with its length before it, a global by protocol 3 and before as a line; a number follows the
# name of its attribute. XGBoost keeps its own in UBJSON, as a text.
_LIBRARY = re.compile(
    rb"(?:\x8c.|X....|c)(%s)[.\n\x94q]" % "|".join(map(re.escape, _DISTRIBUTIONS)).encode(), re.DOTALL
)
_TEXT = re.compile(rb"\x8c(.)|X(....)", re.DOTALL)
_AGAIN = re.compile(rb"h(.)|j(....)", re.DOTALL)
"""A text that the pickle had before, by the number under which it was remembered."""
_LIST = re.compile(rb"\](?:\x94|q.|r....)?\(?", re.DOTALL)
_MOST_NAMES = 1 << 20
"""Bytes in which the names of columns are looked for."""

_MEMO = re.compile(rb"(?:\x94|q.|r....)?", re.DOTALL)
_VERSION = re.compile(rb"_sklearn_version(?:\x94|q.|r....)?(?:\x8c(.)|X(....))", re.DOTALL)
_FEATURES = re.compile(rb"n_features(?:_in_)?(?:\x94|q.|r....)?(?:K(.)|M(..)|J(....))", re.DOTALL)
_FEATURES_AS_TEXT = re.compile(rb"num_feature[^0-9]{1,12}([0-9]{1,9})")
_OF_LIGHTGBM = re.compile(rb"\nfeature_names=([^\n]{1,%d})\n" % _MOST_NAMES)
_INFOS_OF_LIGHTGBM = re.compile(rb"\nfeature_infos=([^\n]+)\n")
_VALUES_OF_LIGHTGBM = re.compile(rb"\npandas_categorical:(\[\[[^\n]+)\n")
_OF_XGBOOST = re.compile(rb"feature_names\[#L(.{8})", re.DOTALL)
_NAME_OF_XGBOOST = re.compile(rb"SL(.{8})", re.DOTALL)
_MADE_UP = re.compile(r"Column_[0-9]+")
"""What LightGBM calls the columns of an array."""

_BEGINS = (b"\x80", b"(", b"c", b"]", b")", b"}")
"""A pickle of protocol 2 or later; of an older one a mark, a global, a list, a tuple or a dict."""

_ENCODER = b"handle_unknown"
"""An attribute of scikit-learn's encoders of texts."""


@dataclass(slots=True)
class Pickled:
    """What was found.

    Attributes:
        requirements: pip requirement lines, pinned where the pickle or this environment names a version.
        notes: a sentence for each version that is a guess.
        features: how many numbers a row has; 1 where the pickle does not say.
        names: of the columns, if the model was fitted on a data frame.
        texts: column → a value that it may hold, of columns that an encoder of scikit-learn's or LightGBM itself takes.
        categories: those that have to be pandas' categories, as LightGBM was given them.
    """

    requirements: list[str] = field(default_factory=lambda: ["joblib", "numpy"])
    notes: list[str] = field(default_factory=list)
    features: int = 0
    names: list[str] = field(default_factory=list)
    texts: dict[str, Any] = field(default_factory=dict)
    categories: dict[str, Any] = field(default_factory=dict)


def read_pickle(path: Path) -> Pickled:
    """Look for names and numbers in the bytes of a pickle, compressed or not; nothing of it is run.

    Raises:
        SettingsError: the file cannot be read, is no pickle, or is cut off.
    """
    data = _content(path)
    found = Pickled()
    _require(found, data)
    if features := _FEATURES.search(data):
        found.features = _number(features)
    elif features := _FEATURES_AS_TEXT.search(data):
        found.features = int(features[1])
    names = _names(data, found.features)
    if not found.features:
        found.features = len(names)
    if not 0 < found.features <= MOST_FEATURES:
        found.features = 1
        found.notes.append("write a row as long as your model's into sample.json: the pickle does not say its length")
    if names and not all(map(_MADE_UP.fullmatch, names)):
        found.names = names
        found.requirements.append("pandas")
        found.texts = _categories(data, names)
    elif b"feature_names_in_" in data:
        found.notes.append(
            "the model was fitted on a data frame: write the names of its columns into COLUMNS of score.py"
        )
    if b"\npandas_categorical:[[" in data:
        found.texts = found.categories = _categories_of_lightgbm(data, names)
        if not found.categories:
            found.notes.append('LightGBM knows categories: score.py has to give it them with .astype("category")')
    if b"xgboost.core" in data and b"xgboost.sklearn" not in data:
        found.notes.append("a Booster of XGBoost predicts for an xgboost.DMatrix of the rows: edit score.py so")
    return found


def _content(path: Path) -> bytes:
    """Give what a pickle has, unpacked.

    Raises:
        SettingsError: it cannot be read, is none, or is cut off.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE)
        packed = next((unpack() for begin, unpack in _PACKED.items() if data.startswith(begin)), None)
        if packed is not None:
            data = packed.decompress(data, MAX_SIZE)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise SettingsError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) < MAX_SIZE and packed is not None and not packed.eof:
        raise SettingsError(f"{path} is damaged: it is cut off")
    if data[:1] not in _BEGINS:
        raise SettingsError(f"{path} is no pickle: write it with joblib.dump(model, {path.name!r})")
    if len(data) < MAX_SIZE and not data.endswith(b"."):
        raise SettingsError(f"{path} is damaged: it is cut off, as a pickle ends with a full stop")
    return data


def _require(found: Pickled, data: bytes) -> None:
    """Note the libraries that a pickle needs, in the versions that it or this environment names."""
    version = ""
    if text := _VERSION.search(data):
        written = data[text.end() : text.end() + _number(text)].decode(errors="replace")
        version = written if re.fullmatch(r"[0-9][\w.+]{0,40}", written) else ""
    libraries = {match[1].decode() for match in _LIBRARY.finditer(data)}
    if b".sklearn" in data:  # LightGBM's and XGBoost's estimators need it and do not name it
        libraries.add("sklearn")
    for name in sorted(libraries):
        distribution = _DISTRIBUTIONS[name]
        if name == "sklearn" and version:
            found.requirements.append(f"{distribution}=={version}")
            continue
        try:
            installed = metadata.version(distribution)
            found.requirements.append(f"{distribution}=={installed}")
            found.notes.append(f"{distribution} {installed} is what is installed here: the pickle does not say its own")
        except metadata.PackageNotFoundError:
            found.requirements.append(distribution)
            found.notes.append(f"write the version of {distribution} that made the pickle into myenv.yml")


def _names(data: bytes, features: int) -> list[str]:
    """Give the names of a model's columns, as scikit-learn, LightGBM or XGBoost keep them; [] if there are none."""
    if (begin := data.find(b"feature_names_in_")) >= 0:
        names = next(_lists(data, begin), [])
        return names if len(names) == features else []
    names = []
    if of_lightgbm := _OF_LIGHTGBM.search(data):
        names = of_lightgbm[1].decode(errors="replace").split(" ")
    elif of_xgboost := _OF_XGBOOST.search(data):
        end = of_xgboost.end()
        for _ in range(min(int.from_bytes(of_xgboost[1]), MOST_FEATURES)):
            if (size := _NAME_OF_XGBOOST.match(data, end)) is None:
                return []
            end = size.end() + int.from_bytes(size[1])
            names.append(data[size.end() : end].decode(errors="replace"))
    return names if len(names) == (features or len(names)) else []


def _categories(data: bytes, names: list[str]) -> dict[str, str]:
    """Give the columns of the first encoder in a pickle, each with its first category."""
    if (begin := data.find(_ENCODER)) < 0:
        return {}
    columns = next((texts for texts in _lists(data, begin) if set(texts) <= set(names)), [])
    held = _lists(data, data.find(b"categories_"))
    return {column: next(held, [""])[0] for column in columns}


def _categories_of_lightgbm(data: bytes, names: list[str]) -> dict[str, Any]:
    """Give the columns that were pandas' categories, each with the first of them; its text names their values alone."""
    infos, values = _INFOS_OF_LIGHTGBM.search(data), _VALUES_OF_LIGHTGBM.search(data)
    with suppress(ValueError):
        known = json.loads(values[1]) if values else []
        told = infos[1].decode(errors="replace").split(" ") if infos else []
        columns = [name for name, info in zip(names, told, strict=False) if info[:1] != "["]  # others have a range
        if len(columns) == len(known):
            return {column: next(iter(each), "") for column, each in zip(columns, known, strict=True)}
    return {}


def _lists(data: bytes, begin: int) -> Iterator[list[str]]:
    """Give each list in a pickle, from there on, that holds texts and nothing else."""
    known = _remembered(data)
    for start in _LIST.finditer(data, begin, begin + _MOST_NAMES):
        texts: list[str] = []
        end = start.end()
        while len(texts) < MOST_FEATURES:
            if (again := _AGAIN.match(data, end)) and (text := known.get(_number(again))) is not None:
                texts.append(text)
                end = again.end()
            elif found := _TEXT.match(data, end):
                end = found.end() + _number(found)
                texts.append(data[found.end() : end].decode(errors="replace"))
                memo = _MEMO.match(data, end)
                end = memo.end() if memo else end
            else:
                break
        if texts and data[end : end + 1] in (b"a", b"e"):
            yield texts


def _remembered(data: bytes) -> dict[int, str]:
    """Give the texts that a pickle may refer to again; of joblib's those before its first array, which are all."""
    texts: dict[int, str] = {}
    last, count = None, 0
    with suppress(ValueError, IndexError):  # what is read of an array is no operation
        for operation, argument, _ in pickletools.genops(data):
            if operation.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
                if isinstance(last, str):
                    texts[count if argument is None else argument] = last
                count += 1
            last = argument if "UNICODE" in operation.name else None
    return texts


def _number(match: re.Match[bytes]) -> int:
    return int.from_bytes(next(part for part in match.groups() if part is not None), "little")
