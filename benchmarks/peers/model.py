"""What every peer runs: the model that BENCHMARK_MODEL names, on one thread that does not spin."""

import os

import numpy as np
import onnxruntime

MODEL = os.environ["BENCHMARK_MODEL"]
PORT = int(os.environ["BENCHMARK_PORT"])
BATCH = int(os.environ["BENCHMARK_BATCH"])
"""Requests that the peer may gather at most; 1 leaves its batching off."""

DELAY = 0.001
"""Seconds that a batch may wait for company, where the peer has such a window."""


class Model:
    """A session with one input and one number as the answer to each row."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        given = self._session.get_inputs()[0]
        self.name, self.shape = given.name, given.shape[1:]

    def __call__(self, rows: object) -> list[float]:
        """Give a number for each row."""
        array = np.asarray(rows, np.float32).reshape(-1, *self.shape)
        numbers: list[float] = self._session.run(None, {self.name: array})[0].reshape(-1).tolist()
        return numbers
