"""The journal: a message is in it before the hub may forget it, and until its answer is confirmed."""

from .journal import Journal
from .place import warn_if_it_dies_with_the_container

__all__ = ["Journal", "warn_if_it_dies_with_the_container"]
