"""Stands for ``azureml.core``: models are found on the device, runs log nothing, the rest fails when it is used."""

from typing import Any

from .model_location import find_model
from .retired import NotHere, retired

__all__ = ["VERSION", "Dataset", "Datastore", "Environment", "Experiment", "Model", "Run", "Webservice", "Workspace"]

Dataset, Datastore, Environment, Experiment, Webservice, Workspace = (
    retired("azureml.core", name)
    for name in ("Dataset", "Datastore", "Environment", "Experiment", "Webservice", "Workspace")
)


class Model(NotHere):
    """A registered model; all that a score.py needs of it is where it lies."""

    __module__ = "azureml.core"

    @staticmethod
    def get_model_path(model_name: str, version: int | str | None = None, _workspace: object = None) -> str:
        """Give the path of a model: ``"name"``, ``"name:4"`` or name and version.

        Raises:
            ModelError: there is none.
        """
        return find_model(model_name, None if version is None else str(version))


class Run(NotHere):
    """A run of an experiment; none is going on here."""

    __module__ = "azureml.core"

    @staticmethod
    def get_context(*args: object, **kwargs: object) -> "OfflineRun":
        """Give a run that logs nothing."""
        return OfflineRun()


class OfflineRun:
    """A run whose every method does nothing, as outside an experiment."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


VERSION = __version__ = "1.61.0"
