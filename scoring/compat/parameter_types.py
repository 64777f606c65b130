"""Stands for inference_schema's abstract, standard Python and numpy parameter types, where it is not installed."""

import base64
import datetime
from typing import Any

import numpy as np

try:  # as inference_schema reads dates; pandas brings it
    from dateutil.parser import parse as _parse  # type: ignore[import-untyped, unused-ignore]
except ImportError:
    _parse = None  # then ISO 8601 alone

__all__ = ["AbstractParameterType", "NumpyParameterType", "StandardPythonParameterType"]


class AbstractParameterType:
    """What a parameter has to be, said by a sample; scripts derive their own from it.

    Attributes:
        sample_input: the sample.
    """

    def __init__(self, sample_input: Any) -> None:
        self.sample_input = sample_input
        self.sample_data_type = type(sample_input)

    def deserialize_input(self, input_data: Any) -> Any:
        """Give the JSON value as what the sample is.

        Raises:
            ValueError: it cannot be that.
        """
        return input_data

    def example(self) -> Any:
        """Give the sample as a JSON value; a script's own type may say it as inference_schema asks for it."""
        swagger = getattr(self, "input_to_swagger", None)
        return _json_value(self.sample_input) if swagger is None else swagger()["example"]


class StandardPythonParameterType(AbstractParameterType):
    """A value of Python's own types; dicts and lists may hold other parameter types."""

    def deserialize_input(self, input_data: Any) -> Any:
        """Give the value as it is, or the date, time or bytes that a text stands for."""
        wanted = self.sample_data_type
        if isinstance(input_data, str) and wanted in _FROM_TEXT:
            return _FROM_TEXT[wanted](input_data)
        if not isinstance(input_data, wanted) and not (wanted is float and type(input_data) is int):
            raise ValueError(f"expected {wanted.__name__}, got {_type_of(input_data)}")
        return input_data


class NumpyParameterType(AbstractParameterType):
    """An array of the sample's type and shape, its first dimension free."""

    def __init__(self, sample_input: Any, enforce_column_type: bool = True, enforce_shape: bool = True) -> None:
        if not isinstance(sample_input, np.ndarray):
            raise TypeError(f"NumpyParameterType needs a numpy array as sample, got {_type_of(sample_input)}")
        super().__init__(sample_input)
        self.enforce_column_type, self.enforce_shape = enforce_column_type, enforce_shape

    def deserialize_input(self, input_data: Any) -> Any:
        """Give a list as an array; null becomes NaN where the type has one."""
        if isinstance(input_data, np.ndarray):
            return input_data
        if not isinstance(input_data, list):
            raise ValueError(f"expected an array, got {_type_of(input_data)}")
        dtype = self.sample_input.dtype
        if not self.enforce_column_type:
            array = np.array(input_data)
        else:
            array = np.array([_element(value, dtype) for value in input_data], dtype)
        if self.enforce_shape:
            check_shape(array.shape, self.sample_input.shape)
        return array


def converted(value: Any, kind: AbstractParameterType) -> Any:
    """Give a JSON value as what a parameter type's sample is, and what is nested in it likewise.

    Raises:
        ValueError: it cannot be that.
    """
    sample = kind.sample_input
    if type(sample) is dict:
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {_type_of(value)}")
        nested = {name: inner for name, inner in sample.items() if isinstance(inner, AbstractParameterType)}
        return {name: converted(each, nested[name]) if name in nested else each for name, each in value.items()}
    if type(sample) in (list, tuple):
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected an array, got {_type_of(value)}")
        inner = next((each for each in sample if isinstance(each, AbstractParameterType)), None)
        return value if inner is None else [converted(each, inner) for each in value]
    return value if isinstance(value, type(sample)) else kind.deserialize_input(value)


def check_shape(shape: tuple[int, ...], sample: tuple[int, ...]) -> None:
    """Compare all dimensions but the first.

    Raises:
        ValueError: one differs.
    """
    if len(shape) != len(sample) or shape[1:] != sample[1:]:
        wanted = "×".join(("any", *map(str, sample[1:])))
        raise ValueError(f"expected the shape {wanted}, got {'×'.join(map(str, shape)) or 'a single value'}")


_FROM_TEXT: dict[type, Any] = {
    datetime.date: datetime.date.fromisoformat,
    datetime.datetime: _parse or datetime.datetime.fromisoformat,
    datetime.time: (lambda text: _parse(text).timetz()) if _parse else datetime.time.fromisoformat,
    bytes: base64.b64decode,
    bytearray: lambda text: bytearray(base64.b64decode(text)),
}


def _element(value: Any, dtype: np.dtype[Any]) -> Any:
    """Give a record as a tuple, a date or a duration such as ``3 days`` in a type that has those, else the value."""
    if dtype.names:
        fields = [value[name] for name in dtype.names] if isinstance(value, dict) else value
        return tuple(_element(each, dtype[index]) for index, each in enumerate(fields[: len(dtype.names)]))
    if dtype.kind == "M" and isinstance(value, str):
        return np.datetime64(value)
    if dtype.kind == "m" and isinstance(value, str):
        number, _, unit = value.partition(" ")
        return np.timedelta64(int(number), _UNITS[unit.strip().lower()])
    return value


_UNITS: dict[str, Any] = {
    **{"years": "Y", "months": "M", "weeks": "W", "days": "D", "hours": "h", "minutes": "m", "seconds": "s"},
    **{"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns", "picoseconds": "ps", "femtoseconds": "fs"},
}


def _json_value(sample: Any) -> Any:
    if isinstance(sample, AbstractParameterType):
        return sample.example()
    if isinstance(sample, dict):
        return {name: _json_value(inner) for name, inner in sample.items()}
    if isinstance(sample, list | tuple | range):
        return [_json_value(inner) for inner in sample]
    if isinstance(sample, bytes | bytearray):
        return base64.b64encode(sample).decode()
    if isinstance(sample, np.ndarray):
        return _array_value(sample)
    return sample.isoformat() if isinstance(sample, datetime.date | datetime.time) else sample


def _array_value(sample: Any) -> Any:
    if sample.dtype.names:
        return [{name: row[name].item() for name in sample.dtype.names} for row in sample]
    return (sample.astype(str) if sample.dtype.kind in "Mm" else sample).tolist()


def _type_of(value: object) -> str:
    return "null" if value is None else f"a value of type {type(value).__name__}"
