"""What happens when a provider fails, stays away and comes back; with sessions that fail when they are told to."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scoring import RequestError
from scoring.execution import runner
from scoring.execution.model_registry import LoadedModel
from scoring.execution.plan import CPU, Setup
from scoring.execution.runner import Runner
from scoring.execution.sessions import FeedsMaker
from scoring.options import Options

CUDA = "CUDAExecutionProvider"


class Provider:
    """Stands for a GPU that breaks: no machine of ours can be asked to lose one."""

    def __init__(self, provider: str) -> None:
        self.setup = Setup(provider)
        self.first = SimpleNamespace(get_outputs=list)
        self.error: Exception | None = None
        self.runs = 0

    def run(self, calls: Sequence[FeedsMaker]) -> list[list[Any]]:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return [[self.setup.provider, call()] for call in calls]


class Both:
    """A provider, the CPU, and what is between them, on a clock that is set by hand."""

    def __init__(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.opened = 1000.0, 0
        self.gpu, self.cpu = Provider(CUDA), Provider(CPU)
        self.loaded = LoadedModel(tmp_path / "model.onnx")
        self.loaded.path.touch()
        monkeypatch.setattr(runner, "Sessions", self._open)
        monkeypatch.setattr(runner, "nodes_on", lambda *_: (1, 1))
        self.runner = Runner(self.loaded, Options(providers=CUDA, calibration_s=0), lambda *_: [])
        monkeypatch.setattr(runner.time, "monotonic", lambda: self.now)

    def _open(self, model: Path, setup: Setup, *_: object) -> Provider:
        self.opened += setup.provider == CPU
        return self.cpu if setup.provider == CPU else self.gpu

    def used(self) -> str:
        """Run a call; gives who ran it."""
        return str(self.runner.calls([dict])[0][0])


@pytest.fixture
def both(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(tmp_path, monkeypatch)


def test_the_batch_that_fails_is_run_on_the_cpu_and_so_are_the_next(both: Both) -> None:
    """The provider is left alone for a minute, then tried again, then for longer."""
    both.gpu.error = RuntimeError("CUDA failure 2: out of memory")
    assert [both.used() for _ in range(3)] == [CPU] * 3
    assert (both.gpu.runs, both.opened) == (1, 1)
    assert (both.loaded.provider, both.loaded.trouble) == (CPU, f"{CUDA} failed: CUDA failure 2: out of memory")
    both.now += 61
    assert both.used() == CPU
    assert both.gpu.runs == 2
    both.now += 61
    assert both.used() == CPU
    assert (both.gpu.runs, both.opened) == (2, 1)


def test_a_provider_that_works_again_is_used_again(both: Both) -> None:
    """Out of memory passes."""
    both.gpu.error = RuntimeError("out of memory")
    both.used()
    both.gpu.error = None
    both.now += 61
    assert [both.used(), both.used()] == [CUDA, CUDA]
    assert (both.loaded.provider, both.loaded.trouble) == (CUDA, "")


def test_what_the_cpu_refuses_too_is_not_the_providers_fault(both: Both) -> None:
    """The next call goes to the provider as before."""
    both.gpu.error, both.cpu.error = RuntimeError("bad"), ValueError("what the CPU says")
    with pytest.raises(ValueError, match="what the CPU says"):
        both.used()
    both.gpu.error = None
    assert both.used() == CUDA
    assert both.loaded.trouble == ""


def test_a_request_that_does_not_fit_is_nobodys_failure(both: Both) -> None:
    """It is found while its rows are stacked: the CPU is not even opened for it."""
    both.gpu.error = RequestError("the field x is missing")
    with pytest.raises(RequestError):
        both.used()
    assert both.opened == 0
