"""Where a model lies, as Azure ML's images have it: ``azureml-models/<name>/<version>/<file or folder>``.

The rules are those of azureml-core's `Model.get_model_path` and of the images' ``AZUREML_MODEL_DIR``: with one model
its folder, with several the folder of all.
"""

import os
from pathlib import Path

from ..errors import ModelError

FOLDER = "azureml-models"
VARIABLE = "AZUREML_MODEL_DIR"


def set_model_dir(directory: Path) -> None:
    """Set AZUREML_MODEL_DIR as those images do, if it is not set and there is an ``azureml-models`` folder."""
    root = directory / FOLDER
    if os.environ.get(VARIABLE) or not root.is_dir():
        return
    versions = [version for name in _folders(root) for version in _folders(name) if version.name.isdigit()]
    os.environ[VARIABLE] = str(versions[0] if len(versions) == 1 else root)


def find_model(name: str, version: str | None = None) -> str:
    """Give the path of a registered model: its highest version unless one is asked for, else ``./<name>``.

    Raises:
        ModelError: there is none; the sentence names the places.
    """
    if version is None and ":" in name:
        name, _, version = name.rpartition(":")
    for root in _roots():
        if (found := _in(root / name, version)) is not None:
            return str(found)
    if version is None and Path(name).exists():
        return name
    wanted = f"version {version} of the model {name}" if version else f"model {name}"
    places = ", ".join(str(root / name) for root in _roots())
    raise ModelError(f"there is no {wanted}: looked at {places} and ./{name}")


def _roots() -> list[Path]:
    """Give the folders that may hold models by name: ./azureml-models, and where AZUREML_MODEL_DIR points."""
    roots = [Path(FOLDER)]
    if given := os.environ.get(VARIABLE):
        path = Path(given)
        roots += [parent for parent in (path, *path.parents[:2]) if parent.is_dir() and parent != Path.cwd()]
    return roots


def _in(folder: Path, version: str | None) -> Path | None:
    """Give a version's only entry, or its folder if it holds several; None if it is not there."""
    if not folder.is_dir():
        return folder if version is None and folder.is_file() else None
    numbers = [each for each in _folders(folder) if each.name.isdigit()]
    chosen = max(numbers, key=lambda each: (int(each.name), each), default=folder)
    if version is not None and not (chosen := folder / version).is_dir():
        return None
    entries = [entry for entry in chosen.iterdir() if not entry.name.startswith(".")]
    return entries[0] if len(entries) == 1 else chosen


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())
