"""Which models are known, and what is known of them."""

import hashlib
from pathlib import Path

import pytest

from scoring import OnnxModel
from scoring.execution.model_registry import LoadedModel, new_registry
from scoring.execution.plan import CPU
from scoring.scripts.loading import load


def test_a_registry_has_what_is_loaded_after_it_was_begun(models: Path) -> None:
    """Each script has its own, and so may a test."""
    first = new_registry()
    affine = OnnxModel(models / "affine" / "model.onnx")
    second = new_registry()
    two = OnnxModel(models / "two" / "model.onnx")
    assert (first, second) == ([affine.loaded], [two.loaded])
    assert affine.loaded.model() is affine
    assert affine.loaded.sha256 == hashlib.sha256(affine.path.read_bytes()).hexdigest()
    assert (affine.loaded.provider, affine.loaded.trouble) == (CPU, "")


def test_a_script_knows_the_models_that_it_has_made(models: Path, process: pytest.MonkeyPatch) -> None:
    """The built-in one makes one in init()."""
    script = load(models / "affine")
    assert script.models == []
    script.init()
    assert [each.path for each in script.models] == [models / "affine" / "model.onnx"]


def test_nodes_that_the_provider_does_not_take_are_said(tmp_path: Path) -> None:
    assert LoadedModel(tmp_path, nodes=(3, 5)).describe_plan() == "not measured, 3 of 5 nodes on it"
    assert LoadedModel(tmp_path, nodes=(5, 5)).describe_plan() == "not measured"
