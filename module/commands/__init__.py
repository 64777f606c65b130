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


def settings_of(scoring_dir: Path | None) -> "Settings":
    """Read the settings, with this directory in the place of SCORING_DIR if it is given, and say what is none.

    Raises:
        SettingsError: a value does not fit.
    """
    from .. import settings
    from ..errors import SettingsError

    say_unknown_settings()
    if scoring_dir is not None and not os.path.isdir(scoring_dir):
        raise SettingsError(f"--scoring-dir {str(scoring_dir)[:200]!r} is no directory: name the one with score.py")
    return settings.read({**os.environ, **({"SCORING_DIR": str(scoring_dir)} if scoring_dir else {})})


def say_unknown_settings() -> None:
    """Name on standard error the variables that look like settings and are none."""
    from ..settings import unknown

    for sentence in unknown(os.environ):
        print(f"scoring-module: {sentence}", file=sys.stderr)
