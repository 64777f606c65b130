"""What of a scoring directory and of a registered model goes into an image, and in which of its last two layers."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ...errors import SettingsError
from ..models.model import Model, hash_of
from ..models.trees import hash_file, walk
from .entries import Entry, folders_of

APP = "var/azureml-app"
MODELS = f"{APP}/azureml-models"
RUNTIME = "opt/scoring/runtime"
COMMAND = "usr/local/bin/scoring-module"
JOURNAL = "var/lib/scoring"
USER = 10001
IGNORE_FILES = (".amlignore", ".dockerignore")
_TEXTS = {".py", ".json", ".yml", ".yaml", ".toml", ".cfg", ".ini", ".txt", ".md", ".csv"}
_SMALL = 256_000
_WORKSHOP = ("module/packaging/", "module/simulator/")
_NEVER = ("__pycache__", "*.lock", "*.pyc", "*.jsonl", "*.jsonl.gz", "*.pem", "*.key")
"""Left out beside everything hidden (``.env`` has passwords): locks, recorded telemetry, keys."""


class Contents(NamedTuple):
    """What an image carries of its user.

    Attributes:
        script: entries of score.py and configuration.
        model: entries of the model; empty if there is none.
        registered: the model; of one that lies beside score.py its file's name and hash, version 0.
        script_sha256: of score.py; empty for a bare model.
        model_dir: what AZUREML_MODEL_DIR has to be; empty if the model lies beside score.py.
    """

    script: list[Entry]
    model: list[Entry]
    registered: Model | None
    script_sha256: str = ""
    model_dir: str = ""


def gather(directory: Path, model: Model | None, model_path: Path | None) -> Contents:
    """Find what goes into the image.

    Args:
        directory: the scoring directory.
        model: the registered model; None if it lies in the directory.
        model_path: where the store keeps its file or folder.

    Raises:
        SettingsError: the directory is not there, or holds neither a score.py nor a model.
    """
    if not directory.is_dir():
        raise SettingsError(f"there is no scoring directory {directory}: give the folder with score.py")
    files = dict(_files(directory, model.entry if model else ""))
    beside = {name: file for name, file in files.items() if file.suffix not in _TEXTS or file.stat().st_size > _SMALL}
    score = directory / "score.py"
    if not (score.is_file() or beside or model):
        raise SettingsError(f"{directory} has neither a score.py nor a model: give one, or a model with --model")
    script = [Entry(f"{APP}/{name}", file) for name, file in files.items() if name not in beside]
    models = [Entry(f"{APP}/{name}", file) for name, file in beside.items()]
    place = ""
    if model and model_path:
        place = f"{MODELS}/{model.name}/{model.version}"
        for name, file in walk(model_path):
            models.append(Entry(f"{place}/{model.entry}" + ("" if name == "." else f"/{name}"), file))
    return Contents(
        [*script, *folders_of(script, APP), Entry(JOURNAL, None, 0o750, USER)],
        [*models, *folders_of(models, APP)] if models else [],
        model or _beside(beside),
        hash_file(score) if score.is_file() else "",
        f"/{place}" if place else "",
    )


def _beside(files: dict[str, Path]) -> Model | None:
    """Describe the model that lies beside score.py: the .onnx file, else whatever is no text."""
    chosen = {name: file for name, file in files.items() if name.endswith(".onnx")} or files
    if not chosen:
        return None
    hashes = {"." if len(chosen) == 1 else name: hash_file(file) for name, file in chosen.items()}
    size = sum(file.stat().st_size for file in chosen.values())
    return Model(", ".join(sorted(chosen)), 0, "", hash_of(hashes), size)


def runtime(python: str = "/usr/bin/env python3") -> list[Entry]:
    """Give the entries of this runtime: ``module`` and ``scoring``, without what builds images or simulates edgeHub.

    The command ``scoring-module`` is among them, on the PATH, run by this Python.
    """
    entries = [
        Entry(f"{RUNTIME}/{package}/{name}", file)
        for package in ("module", "scoring")
        for name, file in walk(Path(str(resources.files(package))))
        if "__pycache__" not in name and not f"{package}/{name}".startswith(_WORKSHOP)
    ]
    command = Entry(COMMAND, f"#!{python}\nfrom module.cli import main\n\nmain()\n".encode(), 0o755)
    return [*entries, *folders_of(entries, RUNTIME), command]


def key_of(entries: Sequence[Entry]) -> str:
    """Give a text that is the same for the same layer: paths, modes, owners and contents."""
    return "\n".join(
        f"{path} {mode:o} {owner} {hash_file(source) if isinstance(source, Path) else repr(source)}"
        for path, source, mode, owner in sorted(entries)
    )


def _files(directory: Path, registered: str) -> Iterator[tuple[str, Path]]:
    files = [directory / name for name in IGNORE_FILES if (directory / name).is_file()]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    patterns = [line.strip().strip("/") for line in lines if line.strip() and not line.startswith(("#", "!"))]
    for name, file in walk(directory):
        parts = name.split("/")
        hidden = any(part.startswith(".") or any(fnmatch(part, each) for each in _NEVER) for part in parts)
        if hidden or name == registered or (registered and parts[0] == "azureml-models"):
            continue
        if not any(fnmatch(name, each) or fnmatch(parts[0], each) or fnmatch(parts[-1], each) for each in patterns):
            yield name, file
