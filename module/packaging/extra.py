"""What the commands of the extra ``[package]`` share: their form, and what is said where a library is missing."""

import argparse
from collections.abc import Callable
from typing import Any

from ..errors import SettingsError

Command = Callable[[argparse.Namespace], int]
Add = Callable[[Any, str, Command, str, str], argparse.ArgumentParser]
"""``add(commands, name, command, summary, epilog)`` of the command line."""


def with_extra(command: Command) -> Command:
    """Let a command say in one sentence that a library is missing which comes with the extra."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except ModuleNotFoundError as error:
            needs = f"this command needs {error.name}, which is not installed"
            raise SettingsError(f"{needs}: pip install 'iotedge-scoring-module[package]'") from error

    return run
