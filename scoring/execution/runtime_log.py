"""ONNX Runtime's own log follows ours: what it says of a call that fails is in the exception already."""

import logging
import sys

_WARNINGS, _FATAL = 2, 4  # its levels


def follow_our_log() -> None:
    """Let ONNX Runtime, if it was imported, write its warnings where our level is debug, else next to nothing.

    It has a line a call where an output has more rows than the model declares, as LightGBM's converter makes them, and
    one for each request that it refuses. Sessions that a script opens afterwards itself follow too.
    """
    if (runtime := sys.modules.get("onnxruntime")) is not None:
        is_debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
        runtime.set_default_logger_severity(_WARNINGS if is_debugging else _FATAL)
