"""Stands for inference_schema's pandas parameter type, where it is not installed."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd  # type: ignore[import-untyped, unused-ignore]

from .parameter_types import AbstractParameterType, check_shape

__all__ = ["PandasParameterType"]

_ORIENTS = ("split", "records", "index", "columns", "values", "table")


class PandasParameterType(AbstractParameterType):
    """A data frame with the columns and types of the sample; any number of rows."""

    def __init__(
        self,
        sample_input: Any,
        enforce_column_type: bool = True,
        enforce_shape: bool = True,
        apply_column_names: bool = False,
        orient: str = "records",
    ) -> None:
        if not isinstance(sample_input, pd.DataFrame):
            raise TypeError(f"PandasParameterType needs a DataFrame as sample, got {type(sample_input).__name__}")
        if orient not in _ORIENTS:
            raise ValueError(f"PandasParameterType has orient={orient!r}: use one of {', '.join(_ORIENTS)}")
        super().__init__(sample_input)
        self.enforce_column_type, self.enforce_shape = enforce_column_type, enforce_shape
        self.apply_column_names, self.orient = apply_column_names, orient

    def deserialize_input(self, input_data: Any) -> Any:
        """Give the rows as a data frame; null becomes NaN."""
        if isinstance(input_data, pd.DataFrame):
            return input_data
        if not isinstance(input_data, list | dict):
            raise ValueError(f"expected rows for a data frame, got {type(input_data).__name__}")
        frame = pd.read_json(io.StringIO(json.dumps(input_data)), orient=self.orient, dtype=False)
        if self.apply_column_names:
            frame.columns = self.sample_input.columns.copy()
        if self.enforce_column_type:
            known = self.sample_input.dtypes.to_dict()
            types = {name: known.get(name, object) for name in frame.columns}
            for name, kind in types.items():
                if str(kind).startswith("timedelta"):
                    frame[name] = pd.to_timedelta(frame[name])
            frame = frame.astype(dtype=types)
        if self.enforce_shape:
            check_shape(frame.shape, self.sample_input.shape)
        return frame

    def example(self) -> Any:
        """Give the sample as the JSON value of its orientation."""
        return json.loads(self.sample_input.to_json(orient=self.orient, date_format="iso"))


class ColumnsParameterType(AbstractParameterType):
    """A data frame of rows by name, as service_schema.json describes it: its columns, in its order, no others."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        """Take the columns' types by name."""
        super().__init__(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()}))
        self._columns = columns

    def deserialize_input(self, input_data: Any) -> Any:
        """Give rows as a data frame; values keep the type that they have in JSON, but for dates and durations."""
        if not isinstance(input_data, list) or not all(isinstance(row, dict) for row in input_data):
            raise ValueError("expected an array of objects, one for each row")
        if lacking := next((name for row in input_data for name in self._columns if name not in row), None):
            raise ValueError(f"a row has no {lacking}")
        frame = pd.DataFrame(input_data, columns=list(self._columns))
        for name, kind in self._columns.items():
            if kind.kind == "M":
                frame[name] = pd.to_datetime(frame[name], format="mixed")
            elif kind.kind == "m":
                frame[name] = pd.to_timedelta(frame[name])
        return frame
