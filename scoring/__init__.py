"""What a score.py may import; the only public import of the project.

from scoring import NOTHING, Context, OnnxModel, Prediction, RequestError, batched
"""

import os
from typing import TYPE_CHECKING

# ONNX Runtime 1.29 and later sends telemetry unless this is set before its import (onnxruntime#27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from .batch import batched
from .errors import RequestError
from .predictions import NOTHING, Context, Prediction

if TYPE_CHECKING:
    from .onnx.model import OnnxModel

__all__ = ["NOTHING", "Context", "OnnxModel", "Prediction", "RequestError", "batched"]


def __getattr__(name: str) -> object:
    """Import OnnxModel when it is asked for: a script without ONNX needs no ONNX Runtime."""
    if name != "OnnxModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .onnx.model import OnnxModel  # noqa: PLC0415

    return OnnxModel
