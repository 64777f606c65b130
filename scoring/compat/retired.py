"""Names that a device has no use for: they may be imported, and say on first use what to do instead."""

from typing import Any, NoReturn

_LONG = {"ai", "automl", "contrib", "data", "explain", "keyvault", "mgmt", "pipeline", "storage", "train", "training"}
"""Parts of azure and azureml whose libraries have a third word: azureml.training.tabular, azureml-training-tabular."""

_LIBRARIES = {"PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless", "dateutil": "python-dateutil"}
_LIBRARIES |= {"dotenv": "python-dotenv", "encrypted": "encrypted-inference", "skimage": "scikit-image"}
_LIBRARIES |= {"sklearn": "scikit-learn", "yaml": "pyyaml"}


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
        name = f"{stands_for.__module__}.{stands_for.__qualname__}{attribute}"
        if (library := library_of(stands_for.__module__)) in ("azureml-core", "azureml-exceptions"):
            raise RetiredError(f"{name} needs Azure Machine Learning's service: score.py must do without it")
        raise RetiredError(f"{name} is in the library {library}, which is not installed: add it, or do without it")


class NotHere(metaclass=Retired):
    """The base of such classes: a call is an error, and so is to unpickle one, as models of AutoML do."""

    def __new__(cls, *args: object, **kwargs: object) -> "NotHere":
        """Refuse with a RetiredError."""
        cls.refuse()

    def __setstate__(self, state: object) -> None:
        """Refuse with a RetiredError: old pickles make an object without asking its class."""
        type(self).refuse()


def library_of(module: str) -> str:
    """Give the name under which the library is installed that has a module."""
    first, *parts = module.split(".")
    if first not in ("azure", "azureml") or not parts:
        return _LIBRARIES.get(first, first)
    return "-".join([first, *parts[: 1 + (parts[0] in _LONG) + (parts[1:2] == ["dnn"])]])


def retired(module: str, name: str) -> type:
    """Give a class of that name that fails when it is used; one that is called an error can be caught."""
    if name.endswith(("Exception", "Error")):
        return type(name, (Exception,), {"__module__": module})
    return Retired(name, (NotHere,), {"__module__": module})
