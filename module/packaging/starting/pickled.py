"""What a pickle says of itself, read without unpickling it: its libraries, scikit-learn's version, its features."""

import re
import zlib
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from ...errors import SettingsError

MAX_SIZE = 2**28
"""Bytes that are read at most, and of a compressed file are unpacked."""

MOST_FEATURES = 100_000

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
}
"""Libraries whose objects people pickle: import name → distribution."""

# A text stands in a pickle with its length before it, a global by protocol 3 and before as a line; a number follows the
# name of its attribute. XGBoost keeps its own in UBJSON, as a text.
_LIBRARY = re.compile(rb"(?:\x8c.|X....|c)(%s)[.\n\x94q]" % "|".join(_DISTRIBUTIONS).encode(), re.DOTALL)
_TEXT = re.compile(rb"\x8c(.)|X(....)", re.DOTALL)
_LIST = re.compile(rb"\](?:\x94|q.|r....)?\(?", re.DOTALL)
_MOST_NAMES = 1 << 20
"""Bytes in which the names of columns are looked for."""

_MEMO = re.compile(rb"(?:\x94|q.|r....)?", re.DOTALL)
_VERSION = re.compile(rb"_sklearn_version(?:\x94|q.|r....)?(?:\x8c(.)|X(....))", re.DOTALL)
_FEATURES = re.compile(rb"n_features(?:_in_)?(?:\x94|q.|r....)?(?:K(.)|M(..)|J(....))", re.DOTALL)
_FEATURES_AS_TEXT = re.compile(rb"num_feature[^0-9]{1,12}([0-9]{1,9})")


@dataclass(slots=True)
class Pickled:
    """What was found.

    Attributes:
        requirements: pip requirement lines, pinned where the pickle or this environment names a version.
        notes: a sentence for each version that is a guess.
        features: how many numbers a row has; 1 where the pickle does not say.
        names: of the columns, if the model was fitted on a data frame.
    """

    requirements: list[str] = field(default_factory=lambda: ["joblib", "numpy"])
    notes: list[str] = field(default_factory=list)
    features: int = 0
    names: list[str] = field(default_factory=list)


def read_pickle(path: Path) -> Pickled:
    """Look for names and numbers in the bytes of a pickle, compressed or not; nothing of it is run.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    if data[:1] == b"x" or data[:2] == b"\x1f\x8b":  # joblib's own compressions that need no library
        try:
            data = zlib.decompressobj(wbits=47).decompress(data, MAX_SIZE)
        except zlib.error as error:
            raise SettingsError(f"{path} is damaged: {error}") from error
    found = Pickled()
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
    if features := _FEATURES.search(data):
        found.features = _number(features)
    elif features := _FEATURES_AS_TEXT.search(data):
        found.features = int(features[1])
    if not 0 < found.features <= MOST_FEATURES:
        found.features = 1
        found.notes.append("write a row as long as your model's into sample.json: the pickle does not say its length")
    if (begin := data.find(b"feature_names_in_")) >= 0:
        found.names = _texts(data, begin, found.features)
        found.requirements += ["pandas"] if found.names else []
    return found


def _texts(data: bytes, begin: int, count: int) -> list[str]:
    """Give the first list in a pickle that holds so many texts and nothing else; [] if there is none."""
    for start in _LIST.finditer(data, begin, begin + _MOST_NAMES):
        texts: list[str] = []
        end = start.end()
        while len(texts) < count and (found := _TEXT.match(data, end)):
            end = found.end() + _number(found)
            texts.append(data[found.end() : end].decode(errors="replace"))
            memo = _MEMO.match(data, end)
            end = memo.end() if memo else end
        if len(texts) == count and data[end : end + 1] in (b"a", b"e"):
            return texts
    return []


def _number(match: re.Match[bytes]) -> int:
    return int.from_bytes(next(part for part in match.groups() if part is not None), "little")
