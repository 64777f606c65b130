"""Stands for ``inference_schema.schema_decorators`` and ``.schema_util`` where that package is not installed.

The rules are those of inference-schema 1.8: a value for a parameter becomes what its sample is, or the call fails.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TypeVar, cast

from .parameter_types import AbstractParameterType, converted

__all__ = ["get_input_schema", "get_output_schema", "input_schema", "is_schema_decorated", "output_schema"]

F = TypeVar("F", bound=Callable[..., object])

_INPUTS, _OUTPUT = "__scoring_input_types__", "__scoring_output_type__"


def input_schema(
    param_name: str, param_type: AbstractParameterType, convert_to_provided_type: bool = True, optional: bool = False
) -> Callable[[F], F]:
    """Convert the parameter of that name before the function is called.

    Raises:
        TypeError: ``param_type`` is no parameter type, or the function has no such parameter.
    """
    _check(param_type)

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        if param_name not in signature.parameters:
            raise TypeError(f"@input_schema names {param_name!r}, which is no parameter of the decorated function")

        @functools.wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            bound = signature.bind(*args, **kwargs)
            given = bound.arguments.get(param_name)
            if convert_to_provided_type and param_name in bound.arguments and (given or not optional):
                bound.arguments[param_name] = converted(given, param_type)
            return function(*bound.args, **bound.kwargs)

        call.__dict__[_INPUTS] = {**getattr(function, _INPUTS, {}), param_name: param_type}
        return cast(F, call)

    return decorate


def output_schema(output_type: AbstractParameterType) -> Callable[[F], F]:
    """Say what the function gives; nothing is converted."""
    _check(output_type)

    def decorate(function: F) -> F:
        function.__dict__[_OUTPUT] = output_type
        return function

    return decorate


def is_schema_decorated(func: Callable[..., object]) -> bool:
    """Say whether a function is decorated."""
    return hasattr(func, _INPUTS) or hasattr(func, _OUTPUT)


def get_input_schema(func: Callable[..., object]) -> dict[str, object]:
    """Give a document with an example of the input."""
    types = getattr(func, _INPUTS, {})
    return {"type": "object", "example": {name: kind.example() for name, kind in types.items()}}


def get_output_schema(func: Callable[..., object]) -> dict[str, object]:
    """Give a document with an example of the output."""
    kind = getattr(func, _OUTPUT, None)
    return {"type": "object"} if kind is None else {"example": kind.example()}


def _check(param_type: object) -> None:
    if not isinstance(param_type, AbstractParameterType):
        raise TypeError("give @input_schema and @output_schema a parameter type such as NumpyParameterType(sample)")
