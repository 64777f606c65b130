"""Reads an MLflow folder: which flavours a model was saved in, and what its signature says of a row."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..compat.model_location import VARIABLE
from ..errors import ModelError, ScriptError

FILE = "MLmodel"
MAX_SIZE = 2**20
"""Bytes of an MLmodel at most."""


class Tensor(msgspec.Struct, frozen=True):
    """What a tensor of a signature is: a numpy type, and a size for each dimension, -1 where any goes."""

    dtype: str
    shape: tuple[int, ...]


class Field(msgspec.Struct, frozen=True):
    """A column or a tensor of a signature; a tensor alone may have no name.

    Attributes:
        type: MLflow's word, such as ``double`` or ``string``; ``tensor`` of a tensor.
        name: of the column.
        required: whether a row must have it.
        tensor: of a tensor.
    """

    type: str
    name: str = ""
    required: bool = True
    tensor: Tensor | None = msgspec.field(default=None, name="tensor-spec")


class _Signature(msgspec.Struct, frozen=True):
    inputs: str | None = None


class _Example(msgspec.Struct, frozen=True):
    artifact_path: str = ""


class _Document(msgspec.Struct, frozen=True):
    flavors: dict[str, dict[str, Any]]
    signature: _Signature | None = None
    saved_input_example_info: _Example | None = None


class MlflowFolder(msgspec.Struct, frozen=True):
    """A folder with an MLmodel.

    Attributes:
        path: of the folder.
        flavors: by name what each says.
        fields: the signature's inputs; empty without one.
        example: the file with an example of the input; None without one.
    """

    path: Path
    flavors: dict[str, dict[str, Any]]
    fields: tuple[Field, ...] = ()
    example: Path | None = None


def find_mlflow(directory: Path) -> MlflowFolder | None:
    """Read the MLflow folder that a scoring directory is, holds, or has in AZUREML_MODEL_DIR; None if there is none.

    Raises:
        ScriptError: there are several.
        ModelError: it cannot be read.
    """
    models = os.environ.get(VARIABLE)
    places: list[Iterable[Path]] = [[directory / FILE], directory.glob(f"*/{FILE}")]
    places += [Path(models).rglob(FILE)] if models else []
    for place in places:
        found = sorted(path for path in place if path.is_file())
        if len(found) > 1:
            raise ScriptError(f"expected one MLflow model, found {', '.join(map(str, found))}: load them in a score.py")
        if found:
            return read_mlflow(found[0].resolve())
    return None


def read_mlflow(path: Path) -> MlflowFolder:
    """Read an MLmodel; raises ModelError if it cannot be read."""
    try:
        data = path.read_bytes()[: MAX_SIZE + 1]
        if len(data) > MAX_SIZE:
            raise ModelError(f"{path} has more than {MAX_SIZE} bytes: it is no MLmodel")
        document = msgspec.yaml.decode(data, type=_Document)
        inputs = (document.signature and document.signature.inputs) or "[]"
        fields = msgspec.json.decode(inputs, type=tuple[Field, ...])
    except ImportError:
        how = "pip install 'iotedge-scoring-module[mlflow]', in an image pyyaml in myenv.yml"
        raise ModelError(f"{path} is read with PyYAML: {how}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be used: {' '.join(str(error).split())[:300]}") from error
    said = document.saved_input_example_info
    example = path.with_name(said.artifact_path) if said and said.artifact_path else None
    return MlflowFolder(path.parent, document.flavors, fields, example if example and example.is_file() else None)
