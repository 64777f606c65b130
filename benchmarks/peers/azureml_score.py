"""The score.py of azureml-inference-server-http."""

import json

from model import Model

model: Model


def init() -> None:
    """Load the model."""
    global model  # noqa: PLW0603 - the contract of a score.py
    model = Model()


def run(raw_data: str) -> dict[str, float]:
    """Score one body."""
    return {"y": model([json.loads(raw_data)["x"]])[0]}
