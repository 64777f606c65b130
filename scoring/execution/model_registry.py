"""Which models a script has loaded, for those who want to know what is really used: metrics, status, `check`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .plan import UNMEASURED, Plan


@dataclass
class LoadedModel:
    """What is known of a model that an OnnxModel was made of; kept true while it lives.

    Attributes:
        path: the file.
        model: gives the OnnxModel while it lives.
        plan: how its rows are divided among calls, and what that costs.
        provider: the execution provider in use.
        nodes: how many of the model's nodes the plan's provider takes, and of how many.
        trouble: why the provider is not the wanted one; empty if it is.
        pictures: whether requests hold pictures, which are decoded besides what the plan's calls take.
    """

    path: Path
    model: Callable[[], object] = lambda: None
    plan: Plan = UNMEASURED
    provider: str = ""
    nodes: tuple[int, int] = (0, 0)
    trouble: str = ""
    pictures: bool = False

    def describe_plan(self) -> str:
        """Say how it is run."""
        on, of = self.nodes
        return self.plan.describe() + (f", {on} of {of} nodes on it" if on < of else "")

    @cached_property
    def sha256(self) -> str:
        """The hash of the file, 64 hexadecimal digits; reads it whole the first time."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


_registry: list[LoadedModel] = []


def new_registry() -> list[LoadedModel]:
    """Begin a list of one's own: every model that is loaded from now on is added to it, in order, and to no other."""
    global _registry  # noqa: PLW0603 - a script's OnnxModel() is made without a hand of ours between
    _registry = []
    return _registry


def register(loaded: LoadedModel) -> None:
    """Add a model to the list that was begun last."""
    _registry.append(loaded)
