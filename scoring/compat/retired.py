"""Names that a device has no use for: they may be imported, and say on first use what to do instead."""

from typing import Any, NoReturn

_LONG = {"automl", "contrib", "explain", "pipeline", "train", "training"}
"""Parts of azureml whose packages have a third word: azureml.training.tabular is azureml-training-tabular."""


class RetiredError(RuntimeError):
    """A script, or the model that it loads, uses something that is not here."""


class Retired(type):
    """The type of classes that stand for what is not here: an attribute that they lack is an error."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # what Python itself looks for
            raise AttributeError(name)
        cls.refuse(f".{name}")

    def refuse(cls, attribute: str = "") -> NoReturn:
        """Raise a RetiredError that says what is missing: the service, or a library."""
        stands_for = next(each for each in cls.__mro__ if each.__module__.startswith("azureml"))
        package, part, *more = stands_for.__module__.split(".")
        name = f"{stands_for.__module__}.{stands_for.__qualname__}{attribute}"
        if part in ("core", "exceptions"):
            raise RetiredError(f"{name} needs Azure Machine Learning's service: score.py must do without it")
        library = "-".join([package, part, *(more[:1] if part in _LONG else [])])
        raise RetiredError(f"{name} is in the library {library}, which is not installed: add it, or do without it")


class NotHere(metaclass=Retired):
    """The base of such classes: a call is an error, and so is to unpickle one, as models of AutoML do."""

    def __new__(cls, *args: object, **kwargs: object) -> "NotHere":
        """Refuse with a RetiredError."""
        cls.refuse()

    def __setstate__(self, state: object) -> None:
        """Refuse with a RetiredError: old pickles make an object without asking its class."""
        type(self).refuse()


def retired(module: str, name: str) -> type:
    """Give a class of that name that fails when it is used; one that is called an error can be caught."""
    if name.endswith(("Exception", "Error")):
        return type(name, (Exception,), {"__module__": module})
    return Retired(name, (NotHere,), {"__module__": module})
