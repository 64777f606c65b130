"""Which store of models is meant: a folder, or the workspace of a ``config.json``."""

from pathlib import Path

from .azureml import WorkspaceModels
from .folder import FolderModels


def open_models(folder: Path | None = None, workspace: Path | None = None) -> FolderModels | WorkspaceModels:
    """Open an Azure ML workspace if one is given, else the folder store.

    Raises:
        PackagingError: the workspace's client is not installed or its file cannot be read.
    """
    return WorkspaceModels.open(workspace) if workspace else FolderModels(folder)
