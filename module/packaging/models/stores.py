"""Which store of models is meant: a folder, or the workspace of a ``config.json``."""

from pathlib import Path

from .folder import FolderModels
from .model import Models


def open_models(folder: Path | None = None, workspace: Path | None = None) -> Models:
    """Open an Azure ML workspace if one is given, else the folder store.

    Raises:
        PackagingError: the workspace's client is not installed or its file cannot be read.
    """
    if workspace is None:
        return FolderModels(folder)
    from .azureml import WorkspaceModels  # noqa: PLC0415 - the extra [azureml] is needed only here

    return WorkspaceModels.open(workspace)
