"""Checks of a command line's arguments that several of these commands have."""

import argparse

from ..errors import SettingsError


def refuse_empty(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse options with nothing in them, which would be taken for not given.

    Raises:
        SettingsError: one is so.
    """
    for name in names:
        if (given := getattr(arguments, name)) is not None and not given.strip():
            raise SettingsError(f"--{name.replace('_', '-')} is empty: a variable of the shell may not be set")
