"""Adds PredictedRul, the remaining useful life in cycles, to each row of a turbofan engine's 21 sensors."""

from typing import Any

from scoring import OnnxModel, RequestError, batched

SENSORS = [f"Sensor{number}" for number in range(1, 22)]
model: OnnxModel


def init() -> None:
    global model
    model = OnnxModel("model.onnx")


@batched(max_size=64)
def run(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    predictions = model.predict([{"sensors": sensors(request)} for request in requests])
    return [
        {**request, "PredictedRul": prediction["rul"]}
        for request, prediction in zip(requests, predictions, strict=True)
    ]


def sensors(request: dict[str, Any]) -> list[float]:
    """Give the 21 readings in order; a RequestError sends this one message to the errors output."""
    if not isinstance(request, dict):
        raise RequestError("expected an object with the fields Sensor1 to Sensor21")
    for name in SENSORS:
        if name not in request:
            raise RequestError(f"{name} is missing")
        if not isinstance(request[name], (int, float)):
            raise RequestError(f"{name} is not a number")
    return [request[name] for name in SENSORS]
