"""What a bare model takes, and what a folder can be tried with: its own sample, its schema's, zeros."""

import json
from pathlib import Path
from typing import NamedTuple

from ..bodies.codecs import Body
from ..predictions import SAMPLE
from .loading import Script
from .mlflow_folder import find_mlflow
from .mlflow_model import MlflowModel
from .mlflow_rows import zeros


class Sample(NamedTuple):
    """A body that a script can score.

    Attributes:
        source: where it is from; empty if there is none.
        body: None if there is none.
    """

    source: str = ""
    body: Body | None = None


ZEROS = "zeros"
"""The source of a sample that was made up."""


def own_sample(script: Script, directory: Path) -> Sample:
    """Give the directory's sample.json, what the script's schema has, MLflow's example, or zeros for a bare model.

    After the script's init() only.
    """
    file = directory / SAMPLE
    if file.is_file():
        return Sample(SAMPLE, _json(file.read_bytes()))
    if script.sample is not None:
        return Sample("the input schema", _json(json.dumps(script.sample)))
    if script.kind not in ("onnx", "mlflow"):
        return Sample()
    folder = find_mlflow(directory)
    if folder is not None and folder.example is not None:
        return Sample(folder.example.name, _json(folder.example.read_bytes()))
    model = script.models[-1].model()
    if script.kind == "mlflow":
        return Sample(ZEROS, _json(json.dumps(zeros(folder.fields)))) if folder and folder.fields else Sample()
    from ..onnx.model import OnnxModel  # noqa: PLC0415 - ONNX Runtime, for a bare model only
    from ..onnx.zeros import zero_request  # noqa: PLC0415

    assert isinstance(model, OnnxModel)  # noqa: S101 - the built-in script makes one
    return Sample(ZEROS, _json(json.dumps(zero_request(model.inputs, model.fields, row=model.batches))))


def described(script: Script) -> list[str]:
    """Say in sentences what a bare model takes and gives; nothing of a script. After init() only."""
    model = script.models[-1].model() if script.kind in ("onnx", "mlflow") else None
    if model is None or isinstance(model, MlflowModel):
        return model.describe() if model else []
    from ..onnx.describe import describe  # noqa: PLC0415 - ONNX Runtime, for a bare model only
    from ..onnx.model import OnnxModel  # noqa: PLC0415

    assert isinstance(model, OnnxModel)  # noqa: S101 - the built-in script makes one
    return describe(model)


def _json(data: str | bytes) -> Body:
    return Body(data.encode() if isinstance(data, str) else data, "application/json")
