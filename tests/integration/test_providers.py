"""Execution providers, on real ones: OpenVINO on the CPU, and CUDA where no GPU is.

Each in an environment of its own, since the packages exclude each other; our code comes by PYTHONPATH.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("msgspec", "orjson", "azure-iot-device", "prometheus-client", "uvloop")
TESTING = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis", "onnx")

SCORE = """
import json, logging, sys
import numpy as np
from scoring import OnnxModel
from scoring.errors import ModelError

rows = list(np.random.default_rng(3).random((64, 3, 16, 16), dtype=np.float32))
try:
    model = OnnxModel("model.onnx")
except ModelError as error:
    print(json.dumps({"error": str(error)}))
    sys.exit()
said = []
for size in map(int, sys.argv[1:]):
    predictions = [each["y"].tolist() for each in model.predict(rows[:size])]
    said.append({"provider": model.loaded.provider, "trouble": model.loaded.trouble, "predictions": predictions})
print(json.dumps({"plan": model.loaded.describe_plan(), "calls": said}))
"""


@pytest.fixture(scope="session")
def openvino(pytestconfig: pytest.Config) -> Path:
    """Give a Python with ONNX Runtime's OpenVINO build."""
    return environment(pytestconfig, "openvino", "onnxruntime-openvino==1.24.1", *NEEDED, *TESTING) / "bin" / "python"


@pytest.fixture(scope="session")
def cuda(pytestconfig: pytest.Config) -> Path:
    """Give a Python with ONNX Runtime's CUDA build, without the CUDA libraries."""
    return environment(pytestconfig, "cuda", "onnxruntime-gpu==1.31.1", *NEEDED) / "bin" / "python"


def score(python: Path, model: Path, *sizes: int, **settings: object) -> Any:
    """Score batches of these sizes in a process of its own; gives what it says of each."""
    ended = run([python, "-c", SCORE, *map(str, sizes)], model, **settings)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def run(command: list[str | Path], model: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command beside a model with our code on its path."""
    ours = {f"SCORING_{name.upper()}": str(value) for name, value in settings.items()}
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), "ORT_DISABLE_TELEMETRY": "1", **ours}
    return subprocess.run(command, cwd=model.parent, env=variables, capture_output=True, text=True, check=False)


def values(said: Any) -> list[float]:
    """Give the predictions of the last call, flat."""
    return [value for row in said["calls"][-1]["predictions"] for value in row]


def test_another_provider_gives_what_the_cpu_gives(openvino: Path, models: Path) -> None:
    """To a relative 1e-4: its kernels add up in another order; batches are filled up to sizes that have run."""
    model = models / "conv" / "model.onnx"
    there = score(openvino, model, 1, 5, 64, providers="OpenVINO")
    assert {call["provider"] for call in there["calls"]} == {"OpenVINOExecutionProvider"}
    assert values(there) == pytest.approx(values(score(openvino, model, 64, providers="cpu")), rel=1e-4, abs=1e-6)


def test_the_tests_for_a_gpu_pass_on_another_provider(openvino: Path) -> None:
    """What `tests/gpu` asks of CUDA is asked of OpenVINO here, but for what only CUDA has."""
    variables = {"SCORING_TEST_PROVIDER": "OpenVINO", "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [openvino, "-m", "pytest", "tests/gpu", "-m", "gpu", "-q", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout


def test_auto_measures_every_usable_provider(openvino: Path, models: Path, tmp_path: Path) -> None:
    """And keeps what each costs; the costs say which is chosen."""
    said = score(openvino, models / "conv" / "model.onnx", 64, journal_dir=tmp_path)
    (measured,) = json.loads((tmp_path / "calibration.json").read_bytes()).values()
    rates = {
        each["setup"]["provider"]: max(each["setup"]["streams"] * int(n) / s for n, s in each["together"].items())
        for each in sorted(measured, key=lambda each: each["setup"]["streams"])
    }
    assert set(rates) == {"OpenVINOExecutionProvider", "CPUExecutionProvider"}
    assert said["calls"][0]["provider"] in rates


def test_a_provider_that_fails_while_running_leaves_the_batch_to_the_cpu(openvino: Path, models: Path) -> None:
    """Bound to 8 rows, OpenVINO fails at 16: nothing is lost, and the reason is said."""
    options = json.dumps({"OpenVINO": {"reshape_input": "x[1..8,3,16,16]"}})
    model = models / "conv" / "model.onnx"
    said = score(openvino, model, 8, 16, 4, providers="OpenVINO", provider_options=options, calibration_s=0)
    before, failed, after = said["calls"]
    assert (before["provider"], before["trouble"]) == ("OpenVINOExecutionProvider", "")
    assert failed["provider"] == after["provider"] == "CPUExecutionProvider"
    assert failed["trouble"].startswith("OpenVINOExecutionProvider failed: [ONNXRuntimeError]")
    assert values({"calls": [failed]}) == values(score(openvino, model, 16, providers="cpu", calibration_s=0))


def test_without_a_gpu_the_gpu_image_runs_on_the_cpu_and_says_why(cuda: Path, models: Path) -> None:
    """The loader's own words; the predictions are those of the CPU."""
    model = models / "conv" / "model.onnx"
    said = score(cuda, model, 64, providers="CUDA,CPU")
    assert said["calls"][0]["provider"] == "CPUExecutionProvider"
    assert "CUDAExecutionProvider cannot be used: lib" in said["calls"][0]["trouble"]
    assert values(said) == values(score(cuda, model, 64, providers="cpu"))


def test_strict_is_exit_3(cuda: Path, models: Path, tmp_path: Path) -> None:
    """Where a GPU is paid for, a silent CPU is a fault."""
    command = [cuda, "-m", "module.cli", "replay", "--scoring-dir", models / "conv", os.devnull, "-o", tmp_path / "out"]
    ended = run(command, models / "conv" / "model.onnx", providers="CUDA", provider_policy="strict")
    assert ended.returncode == 3
    assert "CUDAExecutionProvider cannot be used: lib" in ended.stderr
    assert "SCORING_PROVIDER_POLICY" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_provider_is_named(cuda: Path, models: Path) -> None:
    """With those that the installed ONNX Runtime has."""
    said = score(cuda, models / "conv" / "model.onnx", 1, providers="Qnn", provider_policy="strict")
    assert said["error"].startswith("QNNExecutionProvider cannot be used: the installed ONNX Runtime 1.31.1 has only")
