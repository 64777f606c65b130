"""The built-in score.py for a bare model.onnx: a request's fields are the model's inputs, by name."""

from scoring import OnnxModel, batched

model: OnnxModel


def init() -> None:
    """Load the only model there is."""
    global model  # noqa: PLW0603 - the contract of a score.py
    model = OnnxModel()


@batched(max_size=64)
def run(requests: list[object]) -> list[dict[str, object]]:
    """Give the model's outputs by name for each request."""
    return model.predict(requests)
