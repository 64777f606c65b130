"""What only a GPU can show: ``scripts/test -m gpu`` on a machine that has one, with ``onnxruntime-gpu`` installed.

``SCORING_TEST_PROVIDER=OpenVINO`` runs the same tests on another provider.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from scoring import OnnxModel
from scoring.execution.plan import CPU
from scoring.execution.sessions import Feeds

NAME = os.environ.get("SCORING_TEST_PROVIDER", "CUDA")
PROVIDER = f"{NAME}ExecutionProvider"

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

RANDOM = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ask for the provider; skip where ONNX Runtime does not have it."""
    if PROVIDER not in onnxruntime.get_available_providers():
        pytest.skip(
            f"ONNX Runtime has no {PROVIDER} here: uninstall onnxruntime and install onnxruntime-gpu[cuda,cudnn]"
        )
    monkeypatch.setenv("SCORING_PROVIDERS", NAME)
    monkeypatch.setenv("SCORING_PROVIDER_POLICY", "strict")
    monkeypatch.setenv("SCORING_JOURNAL_DIR", str(tmp_path))


def pictures(count: int) -> list[np.ndarray]:
    return list(RANDOM.random((count, 3, 16, 16), dtype=np.float32))


@pytest.mark.parametrize("count", [1, 2, 7, 64, 200])
def test_predictions_are_those_of_the_cpu(models: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """To a relative 1e-3 (TensorFloat-32 has 10 bits), in order, whatever is filled up and divided."""
    rows = pictures(count)
    model = OnnxModel(models / "conv" / "model.onnx")
    there = model.predict(rows)
    assert model.loaded.provider == PROVIDER
    monkeypatch.setenv("SCORING_PROVIDERS", "CPU")
    here = OnnxModel(models / "conv" / "model.onnx").predict(rows)
    for one, other in zip(there, here, strict=True):
        np.testing.assert_allclose(one["y"], other["y"], rtol=1e-3, atol=1e-4)


def test_every_size_that_is_used_has_run_before_the_first_request(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU a new shape costs 100–600 ms once; here no call has one."""
    sizes: set[int] = set()
    call = OnnxModel._call

    def noting(self: OnnxModel, session: onnxruntime.InferenceSession, feeds: Feeds) -> list[object]:
        sizes.add(len(feeds["x"]))
        return call(self, session, feeds)

    OnnxModel(models / "conv" / "model.onnx")  # measures, so that the next one has nothing to run but what it needs
    monkeypatch.setattr(OnnxModel, "_call", noting)
    model = OnnxModel(models / "conv" / "model.onnx")
    prepared = set(sizes)
    sizes.clear()
    for count in (1, 3, 17, 33, 64, 150):
        model.predict(pictures(count))
    assert sizes <= prepared


def test_a_small_model_stays_on_the_cpu(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of microseconds is slower on an H200 than here."""
    monkeypatch.setenv("SCORING_PROVIDERS", "auto")
    assert OnnxModel(models / "affine" / "model.onnx").loaded.provider == CPU


@pytest.mark.skipif(NAME != "CUDA", reason="the limit is an option of CUDA's")
def test_out_of_memory_leaves_the_batch_to_the_cpu(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request is answered, and the reason is said."""
    monkeypatch.setenv("SCORING_PROVIDER_OPTIONS", json.dumps({"CUDA": {"gpu_mem_limit": 4 << 20}}))
    monkeypatch.setenv("SCORING_CALIBRATION_S", "0")
    model = OnnxModel(models / "conv" / "model.onnx")
    assert len(model.predict(pictures(4000))) == 4000
    assert model.loaded.provider == CPU
    assert model.loaded.trouble.startswith("CUDAExecutionProvider failed: ")
