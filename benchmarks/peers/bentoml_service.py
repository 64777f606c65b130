"""BentoML's service in one process, without access log, metrics and tracing; two ways in, with and without batching."""

import bentoml  # type: ignore[import-not-found]
from model import BATCH, Model

OFF = {"enabled": False}


@bentoml.service(workers=1, logging={"access": OFF}, metrics=OFF, tracing={"sample_rate": 0.0})
class Service:
    """The model behind POST /score."""

    def __init__(self) -> None:
        self._model = Model()

    if BATCH > 1:

        @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=1000)  # type: ignore[untyped-decorator]
        def score(self, x: list[list]) -> list[float]:  # type: ignore[type-arg]
            """Score rows, which BentoML may have gathered from several bodies."""
            return self._model(x)

    else:

        @bentoml.api  # type: ignore[untyped-decorator]
        def score(self, x: list) -> float:  # type: ignore[type-arg]
            """Score one body."""
            return self._model([x])[0]
