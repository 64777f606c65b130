"""20,000 mutated bodies over all content types and encodings: decoded or refused, no crash, no hang, no gigabytes."""

import random
import resource
import time
from pathlib import Path

import hypothesis
from fuzz.bodies import GROWTH, SLOWEST, bodies, body, outcome
from hypothesis import strategies as st

from scoring import OnnxModel
from scoring.bodies.compression import CODINGS

EACH = 10
"""Bodies in one example: drawing them one by one costs more than decoding them."""


@hypothesis.settings(max_examples=2_000, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(seed=st.integers(0, 2**64 - 1))
def test_nothing_but_a_request_error_comes_out(models: Path, seed: int) -> None:
    """Decoding, splitting into rows and scoring refuse one message at most; an example names its seed."""
    score = _model(models).predict
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for each in bodies(EACH, seed):
        start = time.thread_time()  # what others compute at the same time does not count
        assert not outcome(each, score).startswith("a reason of")
        assert time.thread_time() - start < SLOWEST
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < GROWTH


def test_the_bodies_reach_every_form_and_are_often_good() -> None:
    """A fuzzer whose bodies are all refused at the door finds nothing."""
    source = random.Random(1)
    many = [body(source) for _ in range(3_000)]
    outcomes = [outcome(each) for each in many]
    assert {"refused", "dict", "list", "Rows", "bytes", "str", "float"} <= set(outcomes)
    assert outcomes.count("refused") < len(outcomes) * 3 // 4
    opened = {each.content_encoding for each, what in zip(many, outcomes, strict=True) if what != "refused"}
    assert {*CODINGS.values(), "utf-16", "utf-32"} <= opened


_loaded: list[OnnxModel] = []


def _model(models: Path) -> OnnxModel:
    if not _loaded:
        _loaded.append(OnnxModel(models / "affine" / "model.onnx"))
    return _loaded[0]
