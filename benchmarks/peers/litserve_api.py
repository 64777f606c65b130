"""LitServe's server with one API process and one process for the model."""

from typing import Any

import litserve  # type: ignore[import-not-found]
from model import BATCH, DELAY, PORT, Model


class Api(litserve.LitAPI):  # type: ignore[misc]
    """The model behind POST /predict."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._model = Model()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Give the row of a body."""
        return request["x"]

    def predict(self, x: Any) -> Any:
        """Score rows, or with batching off one."""
        return self._model(x) if BATCH > 1 else self._model([x])[0]

    def encode_response(self, output: float) -> dict[str, float]:
        """Give the answer to one body."""
        return {"y": output}


if __name__ == "__main__":
    api = Api(max_batch_size=BATCH, batch_timeout=DELAY)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=PORT, num_api_servers=1, log_level="error", generate_client_file=False, access_log=False
    )
