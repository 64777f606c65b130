"""Stands for Azure ML's data collectors: what is collected goes to SCORING_CAPTURE_DIR, or nowhere.

``ModelDataCollector`` is of ``azureml.monitoring`` and ``azureml.datacollector``, ``Collector`` of
``azureml.ai.monitoring``. Each has a file of JSON lines, rotated: 5 files of 10 MB at most.
"""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ..bodies.plain_values import encode
from ..errors import ScoringError
from ..options import Options, current

__all__ = ["BasicCorrelationContext", "Collector", "ModelDataCollector"]

MAX_BYTES = 10_000_000
"""Bytes of one file at most."""

FILES = 5
"""Files of one collector at most."""

_log = logging.getLogger(__name__)


class BasicCorrelationContext:
    """What ties the inputs to the outputs of one request.

    Attributes:
        id: of the request.
    """

    def __init__(self, id: str | None = None, headers: Mapping[str, str] | None = None) -> None:  # noqa: A002
        self.id = id or uuid.uuid4().hex

    def get_id(self) -> str:
        """Give the id."""
        return self.id


class Collector:
    """Collects data frames, or anything else that has a JSON form."""

    def __init__(self, name: str, on_error: Callable[[Exception], object] | None = None, **options: object) -> None:
        self._lines = _Lines(name)
        self._on_error = on_error

    def collect(self, data: object, correlation_context: object = None) -> BasicCorrelationContext:
        """Keep some data; gives the context that other data of the same request is collected with."""
        known = correlation_context if isinstance(correlation_context, BasicCorrelationContext) else None
        context = known or BasicCorrelationContext()
        error = self._lines.write(data, context.get_id())
        if error is not None and self._on_error is not None:
            self._on_error(error)
        return context


class ModelDataCollector:
    """Collects inputs or predictions of a model."""

    def __init__(
        self,
        model_name: str = "model",
        designation: str = "default",
        feature_names: object = None,
        *args: object,
        **options: object,
    ) -> None:
        name = options.get("identifier") or designation
        self._lines = _Lines(f"{model_name}-{name}")
        self._names = feature_names

    def collect(self, input_data: object, correlation_id: object = None, **more: object) -> None:
        """Keep some data."""
        self._lines.write(input_data, str(correlation_id or ""), self._names)

    def add_correlations(self, *args: object, **kwargs: object) -> None:
        """Do nothing: the lines have their ids."""


class _Lines:
    """The file of one collector; opened at its first line."""

    def __init__(self, name: str) -> None:
        self._name = re.sub(r"[^\w.-]", "_", name)[:100]
        self._file: RotatingFileHandler | None = None

    def write(self, data: object, correlation: str, names: object = None) -> Exception | None:
        """Append a line; gives what went wrong, which must not harm the scoring."""
        directory = current(Options).capture_dir
        if not directory:
            return None
        line = {"time": datetime.now(UTC).isoformat(), "id": correlation, "names": names, "data": data}
        try:
            if self._file is None:
                Path(directory).mkdir(parents=True, exist_ok=True)
                path = Path(directory) / f"{self._name}.jsonl"
                self._file = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=FILES - 1, encoding="utf-8")
            text = encode({key: value for key, value in line.items() if value is not None}).decode()
            self._file.emit(logging.LogRecord("capture", logging.INFO, "", 0, text, None, None))
        except (OSError, ScoringError) as error:
            _log.warning("what %s collects cannot be kept: %s", self._name, error)
            return error
        return None
