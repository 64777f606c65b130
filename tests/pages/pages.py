"""The pages as their readers meet them: every Markdown page of the repository, its blocks, links and words in code."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_HISTORY = ("CHANGELOG.md",)
"""Pages that speak of what was."""
_MADE = ("__pycache__", "build", "dist", "demo-output")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->\s*")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: relative to the repository.
        line: where it begins in the page, from 1.
        language: as the fence says it; an indented block is ``sh``.
        text: what is in it.
        not_run: why no machine without Azure can run it; empty if one can.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str

    @property
    def place(self) -> str:
        """Where it stands, for the message of a failure."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """Give its command lines, those that go on in the next line put together, comments left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


@cache
def files() -> list[str]:
    """Give every file of the repository but hidden ones and those that its commands make."""
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _MADE]
        found += [Path(folder, name).relative_to(ROOT) for name in names]
    return sorted(map(str, found))


def pages() -> list[str]:
    """Give every page."""
    return [name for name in files() if name.endswith(".md") and name not in _HISTORY]


@cache
def tokens(page: str) -> list[Token]:
    """Give a page as Markdown's tokens."""
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text())


def blocks(page: str, *languages: str) -> Iterator[Block]:
    """Give the blocks of a page that are in one of these languages."""
    reason = ""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info else "" if token.type == "fence" else "sh"
            if language in languages:
                yield Block(page, (token.map or [0])[0] + 1, language, token.content, reason)
        found = _NOT_RUN.fullmatch(token.content) if token.type == "html_block" else None
        reason = found[1] if found else ""


def code_words(page: str) -> Iterator[str]:
    """Give what stands in backticks in the sentences and tables of a page."""
    for token in tokens(page):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def links(page: str) -> Iterator[str]:
    """Give where its links and pictures lead."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type in ("link_open", "image"):
                yield str(child.attrs.get("href") or child.attrs.get("src"))


def anchors(page: str) -> set[str]:
    """Give the anchors of its headings, as code hosts make them."""
    every = tokens(page)
    headings = [inside.content for token, inside in pairwise(every) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def copy_to(folder: Path) -> None:
    """Copy the repository as a new clone has it."""
    for name in files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
