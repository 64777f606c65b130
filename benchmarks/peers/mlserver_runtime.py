"""MLServer's server with one model in its own process: the adaptive batcher is on if BENCHMARK_BATCH is over 1."""

import asyncio

from mlserver import MLModel, MLServer, ModelSettings, Settings  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput  # type: ignore[import-not-found]
from model import BATCH, DELAY, PORT, Model


class Runtime(MLModel):  # type: ignore[misc]
    """The model behind MLServer's V2 protocol."""

    async def load(self) -> bool:
        """Load the model."""
        self._model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Score the rows of a request, which MLServer may have gathered from several."""
        numbers = self._model(payload.inputs[0].data.root)
        output = ResponseOutput(name="y", shape=[len(numbers), 1], datatype="FP32", data=numbers)
        return InferenceResponse(model_name="model", outputs=[output])


async def main() -> None:
    """Serve until the process is ended."""
    settings = Settings(
        debug=False,
        parallel_workers=0,
        host="127.0.0.1",
        http_port=PORT,
        grpc_port=PORT + 1,
        metrics_endpoint=None,
        gzip_enabled=False,
        load_models_at_startup=False,
    )
    batching = {"max_batch_size": BATCH, "max_batch_time": DELAY} if BATCH > 1 else {}
    server = MLServer(settings)
    await server.start([ModelSettings(name="model", implementation=Runtime, **batching)])


asyncio.run(main())
