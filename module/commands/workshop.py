"""The sub-commands of the workshop, which a device's image does not carry: there each says so in one sentence."""

import argparse
from functools import partial
from importlib.util import find_spec

from ..errors import SettingsError
from . import Add, Command, Commands

_ROOMS = ("module.packaging", "module.simulator")
_COMMANDS = ("simulate", "init", "models", "build", "push", "inspect", "manifest", "deploy", "completion")
_INSTALL = "pip install 'iotedge-scoring-module[package,simulator]' where images are built"


def is_here() -> bool:
    """Say whether this installation can build, deploy and simulate; a device's image cannot."""
    return all(find_spec(room) for room in _ROOMS)


def absent() -> tuple[str, ...]:
    """Give the commands that this installation lacks."""
    return () if is_here() else _COMMANDS


def where() -> str:
    """Give the words below the list of commands: where to start, or where the other commands are."""
    if is_here():
        return "Start here: scoring-module simulate --help"
    return f"Not in this image: {', '.join(_COMMANDS)}; for these {_INSTALL}"


def register(commands: Commands, add: Add) -> None:
    """Add packaging's sub-commands; where they are not, they and ``simulate`` end with exit code 2, unlisted."""
    if is_here():
        from ..packaging import commands as package_commands
        from ..packaging import deploy_commands

        package_commands.register(commands, partial(add_with_extra, add))
        deploy_commands.register(commands, partial(add_with_extra, add))
        return
    for name in _COMMANDS:
        # No argument of theirs looks like an option, not even --help: all that is said is where the command is.
        parser = commands.add_parser(name, add_help=False, prefix_chars="\0")
        parser.add_argument("arguments", nargs=argparse.REMAINDER)
        parser.set_defaults(command=_refuse, name=name, debug=False, terminated=143)


def add_with_extra(add: Add, commands: Commands, name: str, command: Command, *words: str) -> argparse.ArgumentParser:
    """Add a command that says in one sentence that a library is missing, and with which extra that comes."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library in ("module", "scoring"):
                raise  # ours is whole, or broken
            extra = {"onnxruntime": "cpu"}.get(library, "simulator" if name == "simulate" else "package")
            needs = f"this command needs {library}, which is not installed"
            raise SettingsError(f"{needs}: pip install 'iotedge-scoring-module[{extra}]'") from error

    return add(commands, name, run, *words)


def _refuse(arguments: argparse.Namespace) -> int:
    raise SettingsError(f"{arguments.name} is not in a device's image: {_INSTALL}")
