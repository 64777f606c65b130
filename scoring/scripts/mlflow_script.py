"""The built-in score.py for an MLflow folder: a request is a row, the rows of a batch are scored in one call."""

from pathlib import Path

from scoring import batched
from scoring.scripts.mlflow_folder import find_mlflow
from scoring.scripts.mlflow_model import MlflowModel

model: MlflowModel


def init() -> None:
    """Load the model."""
    global model  # noqa: PLW0603 - the contract of a score.py
    folder = find_mlflow(Path())
    assert folder is not None  # noqa: S101 - why this script was chosen
    model = MlflowModel(folder)


@batched(max_size=64)
def run(requests: list[object]) -> list[object]:
    """Give what the model gives for each request."""
    return model.predict(requests)
