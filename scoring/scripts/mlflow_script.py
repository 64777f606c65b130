"""The built-in score.py for an MLflow folder: a request is a row, the rows of a batch are scored in one call."""

from collections.abc import Callable, Iterable
from math import nan
from pathlib import Path

from scoring import batched
from scoring.scripts.mlflow_folder import MlflowFolder, find_mlflow
from scoring.scripts.mlflow_model import MlflowModel
from scoring.scripts.mlflow_rows import by_rows, named

score: Callable[[list[object]], Iterable[object]]
names: list[str]


def init() -> None:
    """Load the model."""
    global score, names  # noqa: PLW0603 - the contract of a score.py
    folder = find_mlflow(Path())
    assert folder is not None  # noqa: S101 - why this script was chosen
    names = [field.name for field in folder.fields if field.name]
    score = _onnx(folder) if "onnx" in folder.flavors else MlflowModel(folder).predict


@batched(max_size=64)
def run(requests: list[object]) -> list[object]:
    """Give what the model gives for each request."""
    return by_rows(score, names, requests)


def _onnx(folder: MlflowFolder) -> Callable[[list[object]], Iterable[object]]:
    """Load a bare model; the signature's columns become fields of its only input, where scoring.json says nothing."""
    from scoring.onnx.field_map import FieldMap  # noqa: PLC0415 - ONNX Runtime, for this flavour only
    from scoring.onnx.input_fields import Field as OnnxField  # noqa: PLC0415
    from scoring.onnx.model import OnnxModel  # noqa: PLC0415

    model = OnnxModel(folder.path / folder.flavors["onnx"]["data"])
    columns = [each for each in folder.fields if each.tensor is None and model.fields is None]
    places = [each.name for each in columns]
    names.extend(each.name for each in model.inputs)
    if columns and len(model.inputs) == 1:
        made = [OnnxField(each.name) if each.required else OnnxField(each.name, default=nan) for each in columns]
        model.fields = FieldMap(inputs={model.inputs[0].name: [*made]})
    return lambda rows: model.predict([named(places, row) if places and isinstance(row, list) else row for row in rows])
