"""Stands for what scripts call beside their scoring, and nobody needs here: none of it does anything.

AutoML's telemetry and logging; what Workbench's scripts (2018) wrote their ``service_schema.json`` with, which is read.
"""

import logging
from typing import Any

from .azureml_core import OfflineRun

__all__ = [
    "INSTRUMENTATION_KEY",
    "DataTypes",
    "SampleDefinition",
    "enable_telemetry",
    "generate_schema",
    "get_azureml_logger",
    "load_service_schema",
    "log_traceback",
    "set_verbosity",
    "update_custom_dimensions",
]

INSTRUMENTATION_KEY = ""


def enable_telemetry(*args: object, **kwargs: object) -> None:
    """Do nothing."""


set_verbosity = update_custom_dimensions = generate_schema = load_service_schema = enable_telemetry


def log_traceback(error: BaseException, logger: logging.Logger | None = None, *args: object, **kwargs: object) -> None:
    """Log what went wrong; its traceback is said once it is raised, as AutoML's scripts do next."""
    (logger or logging.getLogger(__name__)).error("%s", error)


def get_azureml_logger() -> OfflineRun:
    """Give a run that logs nothing."""
    return OfflineRun()


class DataTypes:
    """What a sample may be."""

    NUMPY, SPARK, PANDAS, STANDARD = "NUMPY", "SPARK", "PANDAS", "STANDARD"


class SampleDefinition:
    """A sample of an input."""

    def __init__(self, input_type: str, sample_data: Any) -> None:
        self.type, self.sample_data = input_type, sample_data
