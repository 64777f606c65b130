"""Stands for the mark of azureml's ``aml_request``: which run() takes the whole request."""

import sys
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

_MARK = "__scoring_rawhttp__"
_FLAG = "_rawHttpRequested"
_REAL = ("azureml.contrib.services.aml_request", "azureml_inference_server_http.api.aml_request")


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
