"""ResNet-50's shape on a GPU, through ``scoring`` and in ONNX Runtime alone with inputs that lie on the device already.

    python -m benchmarks.gpu [--provider CUDA] [--seconds 5] [--batches 300]

In fp32 and fp16: pictures a second of both and their ratio (at least 0.95 is wanted), the largest relative difference
from the CPU's predictions, and the slowest of many batches beside the median of its size (at most 3 times).
"""

import argparse
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
from onnxruntime.transformers.float16 import convert_float_to_float16

from scoring import OnnxModel
from scoring.execution.plan import CPU

from .models import path, rows


def rate(call: Callable[[], object], count: int, seconds: float) -> float:
    """Give how many rows a second repeated calls make."""
    call()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        call()
        calls += 1
    return calls * count / (time.perf_counter() - began)


def floor(file: Path, provider: str, count: int, seconds: float) -> float:
    """Give the rate of one session whose input lies on the device; of another provider than CUDA, with arrays."""
    session = onnxruntime.InferenceSession(file, providers=[provider, CPU])
    pictures = rows("resnet50", count)
    if provider != "CUDAExecutionProvider":
        return rate(lambda: session.run(None, {"x": pictures}), count, seconds)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(pictures, "cuda", 0))
    binding.bind_output("y", "cuda")
    return rate(lambda: session.run_with_iobinding(binding), count, seconds)


def slowest(model: OnnxModel, requests: list[bytes], batches: int) -> float:
    """Give the slowest of so many batches of any size, as a multiple of the median of its size."""
    taken: dict[int, list[float]] = defaultdict(list)
    sizes = random.Random(1).choices((1, 2, 5, 16, 33, 64, len(requests)), k=batches)
    for size in sizes:
        began = time.perf_counter()
        model.predict(requests[:size])
        taken[size].append(time.perf_counter() - began)
    return max(max(each) / median(each) for each in taken.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default="CUDA")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--batches", type=int, default=300, help="of any size, for the slowest")
    arguments = parser.parse_args()
    if f"{arguments.provider}ExecutionProvider" not in onnxruntime.get_available_providers():
        parser.exit(2, f"ONNX Runtime has no {arguments.provider}ExecutionProvider here\n")
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder, "half.onnx")
        onnx.save(convert_float_to_float16(onnx.load(path("resnet50")), keep_io_types=True), half)
        for name, file in (("fp32", path("resnet50")), ("fp16", half)):
            print(
                name, *_measured(file, arguments.provider, arguments.seconds, arguments.batches), sep="\n  ", flush=True
            )


def _measured(file: Path, provider: str, seconds: float, batches: int) -> list[str]:
    os.environ |= {"SCORING_PROVIDERS": provider, "SCORING_PROVIDER_POLICY": "strict"}
    began = time.perf_counter()
    model = OnnxModel(file)
    ready, loaded = time.perf_counter() - began, model.loaded
    count = max(64, loaded.plan.max_rows)
    requests = [row.tobytes() for row in rows("resnet50", count)]
    ours = rate(lambda: model.predict(requests), count, seconds)
    alone = floor(file, loaded.provider, loaded.plan.size or count, seconds)
    factor = slowest(model, requests, batches)
    there = np.array([each["y"] for each in model.predict(requests[:16])])
    os.environ["SCORING_PROVIDERS"] = "CPU"
    here = np.array([each["y"] for each in OnnxModel(file).predict(requests[:16])])
    return [
        f"{loaded.provider}: {loaded.describe_plan()}, ready after {ready:.1f} s",
        f"scoring {ours:,.0f} /s, ONNX Runtime alone {alone:,.0f} /s: {ours / alone:.2f}",
        f"largest relative difference from the CPU {np.max(np.abs(there - here) / np.abs(here)):.1e}",
        f"slowest batch {factor:.1f} times the median of its size",
    ]


if __name__ == "__main__":
    main()
