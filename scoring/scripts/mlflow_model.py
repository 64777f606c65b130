"""An MLflow model that scores rows: those of a batch are one data frame, or one array."""

import importlib
import pickle
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..bodies.plain_values import frame_records
from ..errors import ModelError
from ..execution.model_registry import LoadedModel, register
from .mlflow_folder import FILE, MlflowFolder
from .mlflow_rows import describe, fed

Predict = Callable[[Any], Any]


class MlflowModel:
    """A model of an MLflow folder, in any flavour but ONNX's."""

    def __init__(self, folder: MlflowFolder) -> None:
        """Load the model: by mlflow if it is installed, else by the library of its flavour.

        Raises:
            ModelError: no flavour can be loaded.
        """
        self._fields = folder.fields
        try:
            self._predict, by = _loaded(folder)
        except ModelError:
            raise
        except Exception as error:  # a pickle is code
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]
            raise ModelError(f"the MLflow model in {folder.path} cannot be loaded: {reason}") from error
        register(LoadedModel((folder.path / FILE).resolve(), lambda: self, provider=by))

    def predict(self, rows: list[object]) -> Iterator[object]:
        """Score rows, one prediction each, same order; raises RequestError if one does not fit the signature."""
        return _each(self._predict(fed(self._fields, rows)))

    def describe(self) -> list[str]:
        """Say in sentences what a message holds."""
        if not self._fields:
            return ["no signature: a row is an object or an array, and leaves as the model takes it"]
        return [describe(field) for field in self._fields]


def _loaded(folder: MlflowFolder) -> tuple[Predict, str]:
    """Give what predicts, and by what it was loaded."""
    if "python_function" in folder.flavors and find_spec("mlflow") is not None:
        mlflow = importlib.import_module("mlflow.pyfunc")
        return mlflow.load_model(str(folder.path)).predict, f"mlflow {importlib.import_module('mlflow').__version__}"
    for name, load in (("sklearn", _sklearn), ("lightgbm", _lightgbm), ("xgboost", _xgboost)):
        if name in folder.flavors:
            try:
                library, _ = importlib.import_module(name), importlib.import_module("pandas")
                sys.path[:0] = [str(folder.path / "code")] if (folder.path / "code").is_dir() else []
                return load(folder, folder.flavors[name]), f"{name} {library.__version__}"
            except ModuleNotFoundError as error:
                raise ModelError(
                    f"the MLflow model in {folder.path} needs {error.name}: add it to the packages"
                ) from error
    flavors = ", ".join(sorted(folder.flavors)) or "none"
    raise ModelError(f"the MLflow model in {folder.path} has the flavours {flavors}: add mlflow to the packages")


def _sklearn(folder: MlflowFolder, flavor: dict[str, Any]) -> Predict:
    model = _unpickled(folder.path / flavor["pickled_model"], flavor)
    predict: Predict = getattr(model, folder.flavors.get("python_function", {}).get("predict_fn") or "predict")
    return predict


def _lightgbm(folder: MlflowFolder, flavor: dict[str, Any]) -> Predict:
    path = folder.path / flavor["data"]
    if not str(flavor.get("model_class", "Booster")).endswith("Booster"):
        predict: Predict = _unpickled(path, flavor).predict
        return predict
    return importlib.import_module("lightgbm").Booster(model_file=str(path)).predict  # type: ignore[no-any-return]


def _xgboost(folder: MlflowFolder, flavor: dict[str, Any]) -> Predict:
    module, _, name = str(flavor.get("model_class", "xgboost.core.Booster")).rpartition(".")
    model = getattr(importlib.import_module(module), name)()
    model.load_model(str(folder.path / flavor["data"]))
    if name != "Booster":
        return model.predict  # type: ignore[no-any-return]
    matrix = importlib.import_module("xgboost").DMatrix
    return lambda rows: model.predict(matrix(rows))


def _unpickled(path: Path, flavor: dict[str, Any]) -> Any:
    form = flavor.get("serialization_format") or "pickle"
    if form == "skops":
        return importlib.import_module("skops.io").load(path, trusted=flavor.get("skops_trusted_types") or [])
    if form == "cloudpickle":
        importlib.import_module(form)
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - the user's own model, as much theirs as a score.py


def _each(predictions: Any) -> Iterator[object]:
    """Give the prediction of each row."""
    if (records := frame_records(predictions)) is not None:
        predictions = records
    if isinstance(predictions, dict):
        names = list(predictions)
        return (dict(zip(names, values, strict=True)) for values in zip(*predictions.values(), strict=True))
    return iter(predictions)
