"""Finds stand-ins for modules that Azure ML's images had: asked last, and only for the user's own files.

Asked last: what is installed always wins. The importer decides: libraries that look for azureml must not find ours.
"""

import importlib
import logging
import sys
from importlib import metadata
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .retired import retired

_SCHEMA = "converts parameters alike"
_RAW = "speaks HTTP without Flask"
_LOCAL = "writes to SCORING_CAPTURE_DIR, if that is set"
_QUIET = "does nothing"
_WORKBENCH = "writes no service_schema.json; one that is there is read"

STAND_INS: dict[str, tuple[str, str]] = {
    "azureml.core": ("azureml_core", "Model.get_model_path() finds models on this device"),
    "azureml.core.model": ("azureml_core", "Model.get_model_path() finds models on this device"),
    "azureml.core.run": ("azureml_core", "Run.get_context() gives a run that logs nothing"),
    "azureml.contrib.services.aml_request": ("aml_request", _RAW),
    "azureml.contrib.services.aml_response": ("aml_response", _RAW),
    "azureml_inference_server_http.api.aml_request": ("aml_request", _RAW),
    "azureml_inference_server_http.api.aml_response": ("aml_response", _RAW),
    "azureml.monitoring": ("collectors", _LOCAL),
    "azureml.datacollector": ("collectors", _LOCAL),
    "azureml.ai.monitoring": ("collectors", _LOCAL),
    "azureml.ai.monitoring.context": ("collectors", _LOCAL),
    "azure.ai.mlmonitoring": ("collectors", _LOCAL),
    "azureml.api.schema.dataTypes": ("quiet", _WORKBENCH),
    "azureml.api.schema.sampleDefinition": ("quiet", _WORKBENCH),
    "azureml.api.schema.schemaUtil": ("quiet", _WORKBENCH),
    "azureml.api.realtime.services": ("quiet", _WORKBENCH),
    "azureml.webservice_schema.data_types": ("quiet", _WORKBENCH),
    "azureml.webservice_schema.sample_definition": ("quiet", _WORKBENCH),
    "azureml.webservice_schema.schema_generation": ("quiet", _WORKBENCH),
    "azureml.logging": ("quiet", _QUIET),
    "azureml.telemetry": ("quiet", _QUIET),
    "azureml.automl.core.shared.log_server": ("quiet", _QUIET),
    "azureml.automl.core.shared.logging_utilities": ("quiet", _QUIET),
    "inference_schema.schema_decorators": ("schema_decorators", _SCHEMA),
    "inference_schema.schema_util": ("schema_decorators", _SCHEMA),
    "inference_schema.parameter_types.abstract_parameter_type": ("parameter_types", _SCHEMA),
    "inference_schema.parameter_types.standard_py_parameter_type": ("parameter_types", _SCHEMA),
    "inference_schema.parameter_types.numpy_parameter_type": ("parameter_types", _SCHEMA),
    "inference_schema.parameter_types.pandas_parameter_type": ("pandas_parameter_type", _SCHEMA),
}
"""What is asked for → the file beside this one that stands for it, and what it does."""

_RENAMED = {"sklearn.externals.joblib": "joblib", "sklearn.externals.six": "six"}
_RENAMED |= {"sklearn.cross_validation": "sklearn.model_selection", "sklearn.grid_search": "sklearn.model_selection"}
"""Libraries that were once inside another one, or had another name."""

_PICKLED = {"sklearn": "scikit-learn", "pandas": "pandas"}
"""Libraries whose old modules stand in pickles: by import name, the library."""

_REFUSED = {
    "pyspark": "Spark does not run on an edge device: use pandas",
    "inference_schema.parameter_types.spark_parameter_type": (
        "SparkParameterType needs Spark, which does not run on an edge device: use PandasParameterType"
    ),
}

_GO_BETWEENS = ("importlib", "_frozen_importlib", "pickle", "_pickle", "joblib", "dill", "cloudpickle", __package__)

_log = logging.getLogger(__name__)


class StandIns(Loader):
    """The finder for one script, at the end of ``sys.meta_path``.

    Attributes:
        replaced: what was asked for and stood in for → what the stand-in does; in order.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.replaced: dict[str, str] = {}

    def install(self) -> None:
        """Take the place of the finder of any other script, and of the stand-ins that it has given out."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, StandIns)]
        sys.meta_path.append(self)
        for name, module in list(sys.modules.items()):
            if isinstance(getattr(getattr(module, "__spec__", None), "loader", None), StandIns):
                del sys.modules[name]

    def say(self, name: str, what: str, why: str = "is not installed: a stand-in is used") -> None:
        """Log once that something is replaced."""
        if name not in self.replaced:
            self.replaced[name] = what
            _log.info("the script uses %s, which %s (%s)", name, why, what)

    def say_put_back(self, name: str, what: str) -> None:
        """Log once that what a newer version of a library has removed or refuses is there again."""
        self.say(name, what, "newer versions no longer have in this form")

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Give a stand-in for a module that nobody else has found; part of the protocol of ``sys.meta_path``."""
        library = _PICKLED.get(name.partition(".")[0]) if "." in name and _renamed(name) == name else None
        if not (library or stands_in_for(name)) or not self._is_asked_by_the_user():
            return None
        if library:
            sentence = (
                f"{library} {metadata.version(library)} has no {name}: what an older one has pickled has to be made"
            )
            raise ModuleNotFoundError(
                f"{sentence} anew with this one, or exported to ONNX where it was made", name=name
            )
        if name in _REFUSED:
            raise ImportError(_REFUSED[name])
        if name in STAND_INS:
            self.say(name, STAND_INS[name][1])
        elif (real := _renamed(name)) != name:
            self.say(name, f"{real} itself")
        elif not _is_package(name):
            self.say(name, "can be imported, fails when it is used")
        return ModuleSpec(name, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Fill a stand-in; part of the protocol of loaders."""
        name = module.__name__
        source = f"{__package__}.{STAND_INS[name][0]}" if name in STAND_INS else _renamed(name)
        if source != name:
            real = importlib.import_module(source)
            names = {each: value for each, value in vars(real).items() if not each.startswith("__")}
            module.__dict__.update(names, **{"__all__": getattr(real, "__all__", list(names))})
        if name.startswith("azureml"):
            module.__dict__["__getattr__"] = lambda attribute: _attribute(name, attribute)

    def _is_asked_by_the_user(self) -> bool:
        frame: Any = sys._getframe(2)
        while frame is not None:
            importer = frame.f_globals.get("__name__", "")
            if not importer.startswith(_GO_BETWEENS):
                file = Path(frame.f_code.co_filename)
                return file.is_relative_to(self._directory) and "site-packages" not in file.parts
            frame = frame.f_back
        return False


def stands_in_for(name: str) -> bool:
    """Say whether a module that is not installed has a stand-in, or a sentence of its own."""
    top = name.partition(".")[0]
    is_known = name in STAND_INS or name in _REFUSED or _is_package(name) or _renamed(name) != name
    return is_known or top == "azureml" or top in _REFUSED


def _is_package(name: str) -> bool:
    return any(each.startswith(f"{name}.") for each in STAND_INS)


def _renamed(name: str) -> str:
    for old, real in _RENAMED.items():
        if name == old or name.startswith(f"{old}."):
            return real + name[len(old) :]
    return name


def _attribute(module: str, name: str) -> object:
    """Give what a stand-in lacks: a module that has a stand-in itself, else something that fails when it is used."""
    if name.startswith("_"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    full = f"{module}.{name}"
    return importlib.import_module(full) if full in STAND_INS or _is_package(full) else retired(module, name)
