"""What a scoring directory can be tried with, where nobody gives a sample: its own, its schema's, zeros."""

import json
from pathlib import Path
from typing import NamedTuple

from ..bodies.codecs import Body
from ..predictions import SAMPLE
from .loading import Script
from .mlflow_model import MlflowModel


class Sample(NamedTuple):
    """A body that a script can score.

    Attributes:
        source: where it is from; empty if there is none.
        body: None if there is none.
        described: what a bare model takes and gives, in sentences.
    """

    source: str = ""
    body: Body | None = None
    described: tuple[str, ...] = ()


def own_sample(script: Script, directory: Path) -> Sample:
    """Give the directory's sample.json, what the script's schema has, or zeros for a bare model; after its init()."""
    file = directory / SAMPLE
    if file.is_file():
        return Sample(SAMPLE, Body(file.read_bytes(), "application/json"))
    if script.sample is not None:
        return Sample("the input schema", Body(json.dumps(script.sample).encode(), "application/json"))
    if script.kind == "mlflow":
        mlflow = script.models[-1].model()
        assert isinstance(mlflow, MlflowModel)  # noqa: S101 - the built-in script makes one
        source, example = mlflow.example()
        return Sample(source, Body(example, "application/json") if source else None, tuple(mlflow.describe()))
    if script.kind != "onnx":
        return Sample()
    from ..onnx.describe import describe  # noqa: PLC0415 - ONNX Runtime, for a bare model only
    from ..onnx.model import OnnxModel  # noqa: PLC0415
    from ..onnx.zeros import zero_request  # noqa: PLC0415

    model = script.models[-1].model()
    assert isinstance(model, OnnxModel)  # noqa: S101 - the built-in script makes one
    zeros = zero_request(model.inputs, model.fields, row=model.batches)
    return Sample("zeros", Body(json.dumps(zeros).encode(), "application/json"), tuple(describe(model)))
