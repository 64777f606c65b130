"""From model to device: register a model, build its image without a container engine, push it, deploy it.

In a notebook, as the retired ``Model.register`` was used::

    from module.packaging import register
    register(model_path="model.onnx", model_name="turbofan-rul", tags={"data": "FD001"}, description="MLP, RMSE 15.2")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models.model import Model

__all__ = ["register"]


def register(
    model_path: str | Path,
    model_name: str,
    tags: Mapping[str, str] | None = None,
    description: str = "",
    workspace: str | Path | None = None,
) -> "Model":
    """Register a file or folder as the next version of a name.

    Args:
        model_path: the file or folder.
        model_name: what to register it as.
        tags: name → value, kept with it and in the provenance of its images.
        description: one line about it.
        workspace: the ``config.json`` of an Azure ML workspace or its folder; without it the folder store.

    Raises:
        SettingsError: the name, the path or the workspace's file does not fit; the sentence says why.
        PackagingError: the store or the workspace does not take it.
    """
    from .models.azureml import open_models  # noqa: PLC0415 - the command line imports this package for its sub-commands

    models = open_models(workspace=Path(workspace) if workspace else None)
    return models.register(model_name, Path(model_path), tags, description)
