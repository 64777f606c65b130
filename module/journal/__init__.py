"""The journal: a message is in it before the hub may forget it, and until its answer is confirmed."""

from .journal import Journal
from .place import lend_temporary_directory, warn_if_it_dies_with_the_container

__all__ = ["Journal", "lend_temporary_directory", "warn_if_it_dies_with_the_container"]
