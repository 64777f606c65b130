"""The built-in score.py for a bare model.onnx: a request's fields are the model's inputs, by name.

Of one in an MLflow folder they are the signature's columns, where the model has one input for all of them.
"""

from pathlib import Path

from scoring import OnnxModel, batched
from scoring.onnx.field_map import FieldMap
from scoring.onnx.input_fields import Field
from scoring.scripts.mlflow_folder import find_mlflow

model: OnnxModel


def init() -> None:
    """Load the only model there is."""
    global model  # noqa: PLW0603 - the contract of a score.py
    folder = find_mlflow(Path())
    if folder is None:
        model = OnnxModel()
        return
    model = OnnxModel(folder.path / folder.flavors["onnx"]["data"])
    columns = [field for field in folder.fields if field.tensor is None]
    if columns and model.fields is None and len(model.inputs) == 1:
        fields = [Field(each.name) if each.required else Field(each.name, default=float("nan")) for each in columns]
        model.fields = FieldMap(inputs={model.inputs[0].name: [*fields]})


@batched(max_size=64)
def run(requests: list[object]) -> list[dict[str, object]]:
    """Give the model's outputs by name for each request."""
    return model.predict(requests)
