"""`scoring-module completion`: the script by which a shell completes this command line, made by shtab."""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import Add, Commands

_SHELLS = ("bash", "zsh", "fish")
_EXAMPLES = """\
examples:
  scoring-module completion bash > ~/.local/share/bash-completion/completions/scoring-module
  scoring-module completion zsh > ~/.zfunc/_scoring-module    # a folder of fpath
  scoring-module completion fish > ~/.config/fish/completions/scoring-module.fish
"""


def register(commands: Commands, add: Add, whole: argparse.ArgumentParser) -> None:
    """Add the sub-command, which completes the whole parser."""
    parser = add(commands, "completion", partial(_print, whole), "a script for completion in a shell", _EXAMPLES)
    parser.add_argument("shell", choices=_SHELLS)


def _print(whole: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    import shtab

    for action in _actions(whole):
        if action.type is Path:
            kind = shtab.DIRECTORY if str(action.metavar).endswith("DIR") else shtab.FILE
            vars(action)["complete"] = kind
    print(shtab.complete(whole, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        for below in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from _actions(below)
