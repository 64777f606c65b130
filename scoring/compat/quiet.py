"""Stands for the telemetry and logging helpers that AutoML's generated scripts call: none of them does anything."""

import logging

__all__ = ["INSTRUMENTATION_KEY", "enable_telemetry", "log_traceback", "set_verbosity", "update_custom_dimensions"]

INSTRUMENTATION_KEY = ""


def enable_telemetry(*args: object, **kwargs: object) -> None:
    """Do nothing."""


set_verbosity = update_custom_dimensions = enable_telemetry


def log_traceback(error: BaseException, logger: logging.Logger | None = None, *args: object, **kwargs: object) -> None:
    """Log what went wrong."""
    (logger or logging.getLogger(__name__)).error("%s", error, exc_info=error)
