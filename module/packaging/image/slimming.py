"""What is left out of the installed packages, as a list; ``--no-slim`` keeps all of it.

Nothing is stripped: ``strip`` breaks ``numpy.libs/*.so``.
"""

import os
import re
import sys
from fnmatch import translate
from pathlib import Path

from ...errors import PackagingError
from ..environment.target import Target, why_not_here
from ..models.trees import walk
from ..programs import output_of

LEFT_OUT = {
    "onnxruntime/capi/libonnxruntime.so.*": "a second copy of ONNX Runtime, which Python does not load",
    "onnxruntime/tools/*": "converters",
    "onnxruntime/transformers/*": "optimizers of models",
    "onnxruntime/quantization/*": "quantization of models",
    "onnxruntime/datasets/*": "samples",
    "numpy/*/tests/*": "tests",
    "scipy/*/tests/*": "tests",
    "sklearn/*/tests/*": "tests",
    "pandas/tests/*": "tests",
    "numpy/_core/include/*": "C headers",
    "*.a": "static libraries",
    "*.pyi": "type stubs",
    "*.pxd": "Cython declarations",
}
"""Pattern → what it is."""

ALWAYS_LEFT_OUT = (
    "*/__pycache__/*",
    "__pycache__/*",
    "bin/*",  # whose first lines name the Python that installs
    "*.dist-info/RECORD",  # which has their hashes
    *(f"*.dist-info/{each}" for each in ("INSTALLER", "REQUESTED", "direct_url.json", "uv_*.json")),
    ".lock",
)
"""What differs from one installation to the next."""

_IDENTITY_MODEL = (
    "080812003a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112"
    "040a02080142040a00100d"
)
"""An ONNX model of one Identity node, from x to y, each one float: the smallest thing that a session can run."""

_SMOKE = f"""\
import sys, numpy, onnxruntime
from numpy import *  # as scipy does: all that numpy names is there
for name in sys.argv[1:]:
    __import__(name)
session = onnxruntime.InferenceSession(bytes.fromhex("{_IDENTITY_MODEL}"), providers=["CPUExecutionProvider"])
assert session.run(None, dict(x=numpy.linalg.solve(numpy.eye(1), numpy.ones(1)).astype("float32")))[0][0] == 1
"""
_NEEDED = ("azure.iot.device.aio", "msgspec", "numpy.testing", "orjson", "prometheus_client", "uvloop", "werkzeug")


def slim(packages: Path, *, everything: bool) -> None:
    """Delete from a folder of installed packages what an image does not need.

    Args:
        packages: what ``uv pip install --target`` made.
        everything: keep all but what differs from one installation to the next.
    """
    patterns = [*ALWAYS_LEFT_OUT, *(() if everything else LEFT_OUT)]
    left_out = re.compile("|".join(translate(pattern) for pattern in patterns))
    for name, file in list(walk(packages)):
        if left_out.match(name):
            file.unlink()
    for folder, _, _ in os.walk(packages, topdown=False):  # layers have no empty folders: Python would import one
        if not os.listdir(folder):
            os.rmdir(folder)


def smoke_test(packages: Path, target: Target) -> None:
    """Import what the runtime needs and run a session with these packages, if they are for such a machine.

    Raises:
        PackagingError: something that was left out is needed.
    """
    if why_not_here(target):
        return
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(packages), "ORT_DISABLE_TELEMETRY": "1"}
    code, _, err = output_of([sys.executable, "-S", "-P", "-s", "-B", "-c", _SMOKE, *_NEEDED], env=environment)
    if code:
        reason = err.strip().rpartition("\n")[2] or f"it ended with {code}"
        raise PackagingError(f"the slimmed packages do not work, build with --no-slim and report this: {reason}")
