"""What a script's decorators say of its run(): @rawhttp and @input_schema, of the real packages or our stand-ins."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., object])

_MARK = "__scoring_rawhttp__"
_FLAG = "_rawHttpRequested"
_REAL = ("azureml.contrib.services.aml_request", "azureml_inference_server_http.api.aml_request")
_KNOW = ("inference_schema.schema_util", f"{__package__}.schema_decorators")


def rawhttp(func: F) -> F:
    """Mark run() as taking the whole request."""
    func.__dict__[_MARK] = True
    return func


def forget_rawhttp() -> None:
    """Forget that another script asked for it: where the real package is installed, it keeps one flag for all."""
    for name in _REAL:
        if _is_flagged(name):
            setattr(sys.modules[name], _FLAG, False)


def wants_rawhttp(run: Callable[..., object]) -> bool:
    """Say whether run() is marked, by us or by the real package."""
    return hasattr(run, _MARK) or any(map(_is_flagged, _REAL))


def _is_flagged(name: str) -> bool:
    return name in sys.modules and bool(vars(sys.modules[name]).get(_FLAG))


def has_schema(run: Callable[..., object]) -> bool:
    """Say whether run() is decorated with @input_schema or @output_schema."""
    return _who_knows(run) is not None


def schema_sample(run: Callable[..., object]) -> Mapping[str, object] | None:
    """Give the request that the decorators' samples make up: parameter name → JSON value; None without samples."""
    knows = _who_knows(run)
    example = None if knows is None else knows.get_input_schema(run).get("example")
    return example if isinstance(example, dict) and example else None


def _who_knows(run: Callable[..., object]) -> Any:
    for name in _KNOW:
        module: Any = sys.modules.get(name)
        try:
            if module is not None and module.is_schema_decorated(run):
                return module
        except ValueError:  # the real one looks into closures, and one may still be empty
            continue
    return None
