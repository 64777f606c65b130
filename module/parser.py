"""The parser of the command line: help that fits the terminal, errors that name the nearest word, the version."""

import argparse
import platform
import re
import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from scoring.errors import meant

from . import __version__

_NARROWEST = 20
_HANGING = 4
"""Columns that a terminal has at least; blanks by which what follows of an indented line is indented further."""


class Parser(argparse.ArgumentParser):
    """A parser, and by ``add_subparsers()`` those below it.

    Attributes:
        absent: commands that are known, and not offered.
    """

    absent: Collection[str] = ()
    _given: Sequence[str] = ()

    def __init__(self, **given: Any) -> None:
        super().__init__(formatter_class=_Formatter, **given)
        self.register("type", Path, _path)
        if self.add_help:  # at any place of the line: where it is not, it says nothing
            said = "show the traceback of an error of ours"
            self.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=said)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        """Parse, and end with exit code 2 at what is unknown here, with the usage of the command that it was given."""
        self._given = sys.argv[1:] if args is None else list(args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._near(unknown[0])}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """End with exit code 2; where an option is missing, the misspelt one that was meant for it is named too."""
        if " required" in message:
            for given in self._given[: [*self._given, "--"].index("--")]:
                word = given.partition("=")[0]
                is_known = any(each.startswith(word) for each in self._option_string_actions)
                if word.startswith("--") and not is_known and (near := self._near(word)):
                    message += f"; unrecognized: {word}{near}"
        super().error(message)

    def _near(self, word: str) -> str:
        return meant(word.partition("=")[0], re.findall(r"--[a-z-]+", self.format_usage()))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, unless what was printed cannot be written: then raise why."""
        sys.stdout.flush()
        super().exit(status, message)

    def _print_message(self, message: str, file: Any = None) -> None:
        with suppress(OSError):  # nobody can be told: the code says it
            super()._print_message(message, file)

    def print_help(self, file: Any = None) -> None:
        """Print it, or raise why that cannot be: argparse itself would say nothing."""
        print(self.format_help(), end="", file=file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            offered = ", ".join(str(each) for each in action.choices if each not in self.absent)
            near = meant(str(value), [str(each) for each in action.choices])
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{near} (choose from {offered})")


def _path(text: str) -> Path:
    """Refuse what a variable of the shell leaves that is not set: it would mean the working directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name a file or folder")
    return Path(text)


class _Formatter(argparse.HelpFormatter):
    """Wraps everything at the width of the terminal; a command in a line of its own stays whole, to be pasted."""

    def __init__(self, prog: str, **given: Any) -> None:
        width = shutil.get_terminal_size().columns - 2  # as argparse itself does, which takes less than nothing too
        super().__init__(prog, **{**given, "width": max(width, _NARROWEST)})

    def _format_usage(self, *given: Any) -> str:
        usage = super()._format_usage(*given)
        if max(map(len, usage.split("\n"))) <= self._width:
            return usage
        return "\n".join(_wrapped(" ".join(usage.split()), self._width, _HANGING)) + "\n\n"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled: list[str] = []
        for line in re.sub(r"(?<=\S)\n(?=\S)", " ", text.strip("\n")).split("\n"):
            lead = len(line) - len(line.lstrip())
            is_command = lead and "scoring-module " in line
            filled += [line] if is_command else _wrapped(line, width, lead and lead + _HANGING) or [""]
        return "\n".join(indent + line for line in filled)


def _wrapped(text: str, width: int, hanging: int) -> list[str]:
    """Break a text between its words, the lines after the first indented by so many blanks."""
    return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


class Version(argparse.Action):
    """``--version``: this one's, and those of what it runs on, which are looked up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - a start needs none of it

        parts = [f"Python {platform.python_version()}"]
        for name in ("onnxruntime", "onnxruntime-gpu"):
            with suppress(PackageNotFoundError):
                parts.append(f"{name} {version(name)}")
        print(f"{parser.prog} {__version__} ({', '.join(parts)})")
        parser.exit()
