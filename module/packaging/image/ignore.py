"""Which files of a scoring directory stay out of an image: what is never meant for one, and what its author names.

``.dockerignore`` is read as docker reads it, ``!`` lines too; ``.amlignore`` as Azure ML reads it, which is git's way.
"""

import posixpath
import re
import stat
import warnings
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from ...errors import SettingsError

NEVER_MEANT = (
    *("**/.*", "**/__pycache__", "**/*.pyc"),
    *("**/*.lock", "**/*.jsonl", "**/*.jsonl.gz"),
    *("**/deployment.json", "**/deployment.*.json"),
)
"""The first lines of every .dockerignore: what is hidden or compiled, locks, recorded telemetry, what `manifest` makes.

A line with ``!`` brings each back, to be looked at for secrets as any other file.
"""
_MAX_SIZE = 1 << 20
_TOKEN = re.compile(r"\*\*/?|[*?]|\\.|\[\^?(?:\\.|[^\]\\])+\]|[^\[\\]", re.DOTALL)


class _Rule(NamedTuple):
    """A line of a .dockerignore: what it matches, and whether that is packed all the same."""

    pattern: re.Pattern[str]
    is_exception: bool


class IgnoreRules:
    """What a scoring directory's ignore files leave out.

    Attributes:
        has_exceptions: whether something in a folder that is left out may be packed.
    """

    def __init__(self, directory: Path, more: tuple[str, ...] = ()) -> None:
        """Read the files, where there are any.

        Args:
            directory: where they are.
            more: lines that come after those of .dockerignore.

        Raises:
            SettingsError: one cannot be read, or a line of it is no pattern.
        """
        file = directory / ".dockerignore"
        lines = [line.strip() for line in _lines(file) if not line.startswith("#")]
        self._rules = [_rule(line, file) for line in (*NEVER_MEANT, *lines, *more) if line]
        self._git = GitIgnoreSpec.from_lines(_lines(directory / ".amlignore"))
        self._folder = lru_cache(1000)(self._looked_at)
        self.has_exceptions = any(rule.is_exception for rule in self._rules)

    def leave_out(self, name: str) -> bool:
        """Say whether a file or folder, by its path inside the directory, stays out: the last line that means it."""
        return self._looked_at(name)[1] or self._git.match_file(name)

    def _looked_at(self, name: str) -> tuple[list[bool], bool]:
        """Say which lines mean it, or a folder above it, and whether they leave it out: in docker's order and way."""
        above = name.rpartition("/")[0]
        means = list(self._folder(above)[0]) if above else [False] * len(self._rules)
        is_out = False
        for number, rule in enumerate(self._rules):
            if not means[number] and rule.is_exception == is_out:
                means[number] = rule.pattern.fullmatch(name) is not None
            if means[number]:
                is_out = not rule.is_exception
        return means, is_out


def _lines(file: Path) -> list[str]:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise SettingsError(f"{file} is no file: a list of patterns has to be one")
        with file.open("rb") as opened:
            text = opened.read(_MAX_SIZE + 1).decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"cannot read {file}: {getattr(error, 'strerror', '') or 'it is no UTF-8'}") from error
    if len(text) > _MAX_SIZE:
        raise SettingsError(f"{file} has more than {_MAX_SIZE:,} bytes: it is no list of patterns")
    return text.split("\n")


def _rule(line: str, file: Path) -> _Rule:
    """Read a line (https://docs.docker.com/build/concepts/context/#dockerignore-files); raises SettingsError."""
    is_exception = line.startswith("!")
    glob = posixpath.normpath(line.removeprefix("!").strip() or "/").lstrip("/") or "."
    try:
        if is_exception and glob == ".":
            raise ValueError("it excepts nothing")
        if "".join(_TOKEN.findall(glob)) != glob:
            raise ValueError("a bracket or a backslash has no end")
        with warnings.catch_warnings(action="ignore"):
            return _Rule(re.compile(_TOKEN.sub(_expression, glob), re.DOTALL), is_exception)
    except (ValueError, re.error) as error:
        raise SettingsError(f"{file}: {line!r} is no pattern: {error}") from error


def _expression(token: re.Match[str]) -> str:
    """Give the regular expression for a part of a pattern."""
    text, rest = token[0], token.string[token.end() :]
    if text == "**" and (not rest or (token.start() == 0 and not set(rest) & set("*?[\\"))):
        return ".*"
    if text.startswith("**"):
        return "(?:.*/)?"
    if text.startswith("\\"):
        return re.escape(text[1:])
    return {"*": "[^/]*", "?": "[^/]"}.get(text) or (text if len(text) > 1 else re.escape(text))
