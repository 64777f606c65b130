"""What scoring is told by the environment, or by whoever installs it."""

from pathlib import Path

import pytest

from module.errors import SettingsError
from module.settings import read as read_settings
from scoring import OnnxModel
from scoring.bodies.forms import default_form
from scoring.errors import OptionsError
from scoring.execution.plan import CPU
from scoring.options import Options, current, install, read

MISTAKES = [
    ("SCORING_BODY", "xml", "expected one of auto, json, jsonl, csv, msgpack, text, bytes"),
    ("SCORING_MAX_BODY_MB", "0", "expected a number > 0.0"),
    ("SCORING_MERGE", "never", "expected one of off, prove, always"),
    ("SCORING_PROVIDER_OPTIONS", "[]", "expected a JSON object, got a JSON array"),
    ("SCORING_PROVIDER_OPTIONS", "{x}", "it is not JSON: object keys must be strings (byte 1)"),
    ("SCORING_PROVIDER_POLICY", "lax", "expected one of degrade, strict"),
    ("SCORING_LATENCY_TARGET_MS", "-1", "expected a number >= 0.0"),
    ("SCORING_CALIBRATION_S", "fast", "expected a number"),
]


@pytest.mark.parametrize(("variable", "text", "reason"), MISTAKES)
def test_a_mistake_has_one_sentence_wherever_it_is_met(
    models: Path, variable: str, text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module says before it starts what a notebook says when it makes a model, or asks for the form of a body."""
    monkeypatch.setenv(variable, text)
    default_form.cache_clear()
    with pytest.raises(OptionsError) as in_a_notebook:  # noqa: PT012 - either
        OnnxModel(models / "affine" / "model.onnx")
        default_form()
    with pytest.raises(SettingsError) as in_the_module:
        read_settings({"SCORING_DIR": str(models), variable: text})
    assert str(in_a_notebook.value) == str(in_the_module.value) == f"{variable} is {text!r}: {reason}"


def test_the_environment_is_asked_anew_until_options_are_installed(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook may change its mind; in the module what was read at the start holds."""
    assert current(Options) == Options()
    monkeypatch.setenv("SCORING_PROVIDER_OPTIONS", '{"cuda": {"device_id": 1}}')
    assert current(Options) == Options(provider_options={"cuda": {"device_id": 1}})
    install(Options(calibration_s=0, providers="CPU"))
    assert current(Options) == Options(calibration_s=0, providers="CPU")
    assert OnnxModel(models / "affine" / "model.onnx").session.get_providers() == [CPU]


def test_an_empty_variable_counts_as_not_set_and_a_synonym_stands_in() -> None:
    environment = {"SCORING_CAPTURE_DIR": "", "OTHER": "/data"}
    assert read(Options, environment) == Options()
    assert read(Options, environment, {"SCORING_CAPTURE_DIR": "OTHER"}).capture_dir == "/data"
