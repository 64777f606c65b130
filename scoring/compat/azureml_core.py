"""Stands for ``azureml.core``: models are found on the device, runs log nothing, the rest fails when it is used."""

from typing import Any

from .model_location import find_model
from .retired import NotHere, RetiredError, retired

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
    def get_context(allow_offline: bool = True, **kwargs: object) -> "OfflineRun":
        """Give a run that logs nothing; raises RetiredError if that will not do."""
        if not allow_offline:
            raise RetiredError("Run.get_context(allow_offline=False) needs an experiment, and none is going on here")
        return OfflineRun()


class NotOfflineError(RetiredError, AttributeError):
    """A script asks a run for what the service alone knows; hasattr() says that it is not there."""


class OfflineRun:
    """A run as outside an experiment: what tells the service something does nothing, what asks it is an error."""

    id = "OfflineRun"

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_TELLING):
            return lambda *args, **kwargs: None
        instead = "score.py must do without it"
        if name in ("get_secret", "get_secrets"):
            instead = "set an environment variable of the module, and read os.environ in init()"
        raise NotOfflineError(f"azureml.core.Run.{name} asks Azure Machine Learning's service: {instead}")


_TELLING = (
    *("log", "tag", "set_tags", "add_", "upload_", "flush", "start", "complete", "fail", "cancel", "wait_for_"),
    *("debug", "info", "warn", "error", "exception", "critical", "set_level", "setLevel"),
)
"""How the methods of a run, and of Workbench's logger, begin that give nothing in the real library either."""


VERSION = __version__ = "1.61.0"
