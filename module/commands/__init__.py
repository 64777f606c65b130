"""The sub-commands of the process on the device, a file each.

What one needs is imported when it runs: the others start without it, and a signal before that ends nothing half-done.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..settings import Settings

Commands = Any
"""What ``add_subparsers()`` gives: argparse has no public name for it."""

Command = Callable[[argparse.Namespace], int]
Add = Callable[[Commands, str, Command, str, str], argparse.ArgumentParser]
"""The command line's ``add(commands, name, command, summary, epilog)``."""


def keep_stdout() -> None:
    """Keep standard output for what the command itself says.

    What a script writes there goes to standard error, be it past Python's ``print()`` or from a process of its own.
    """
    sys.stdout.flush()
    own = open(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = own


def settings_of(scoring_dir: Path | None) -> "Settings":
    """Read the settings, with this directory in the place of SCORING_DIR if it is given.

    Raises:
        SettingsError: a value does not fit.
    """
    from .. import settings

    return settings.read({**os.environ, **({"SCORING_DIR": str(scoring_dir)} if scoring_dir else {})})
