"""Names that a device has no use for: they may be imported, and say on first use what to do instead."""

from typing import Any


class RetiredError(RuntimeError):
    """A script uses something that only Azure ML's own service or images have."""


class Retired(type):
    """The type of classes that stand for what is not here: a call, or an attribute that they lack, is an error."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse with a RetiredError."""
        raise RetiredError(
            f"{cls.__module__}.{cls.__qualname__} needs Azure Machine Learning's service: score.py must do without it"
        )

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # what Python itself looks for
            raise AttributeError(name)
        return cls()  # which refuses


def retired(module: str, name: str) -> type:
    """Give a class of that name that fails when it is used; one that is called an error can be caught."""
    if name.endswith(("Exception", "Error")):
        return type(name, (Exception,), {"__module__": module})
    return Retired(name, (), {"__module__": module})
