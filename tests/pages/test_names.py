"""What the pages name is there: commands and their arguments, variables, files, pages and their parts."""

import argparse
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pages import ROOT, anchors, blocks, code_words, files, links, pages
from reference import subparsers

from module import cli
from module.settings import describe
from module.transports.edge_hub_tap import FITTING

PARSERS = subparsers(cli._parser())
SOURCES = ("module/", "scoring/", "scripts/", "Dockerfile", "deployment.template.json", "examples/")
_VARIABLE = re.compile(r"\bSCORING_[A-Z][A-Z_]*[A-Z]\b")


def test_every_variable_of_the_code_is_in_the_reference() -> None:
    """Settings are compared in test_reference.py; this finds those that another file reads."""
    named = {name for file in files() if file.startswith(SOURCES) for name in _variables(ROOT / file)}
    explained = set(_VARIABLE.findall((ROOT / "docs/reference/settings.md").read_text()))
    assert named - explained == set()


@pytest.mark.parametrize("page", pages())
def test_every_variable_of_a_page_is_one(page: str) -> None:
    known = {row.name for row in describe()}
    known |= set(_VARIABLE.findall((ROOT / "docs/reference/settings.md").read_text().partition("no settings")[2]))
    assert set(_VARIABLE.findall((ROOT / page).read_text())) - known == set()


@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_is_one(page: str) -> None:
    """Those that nothing here can run too: the sub-command and each of its options exist."""
    lines = [line for block in blocks(page, "sh", "text") for line in block.commands()]
    for line in (*lines, *code_words(page)):
        for found in re.finditer(r"(?:^|\s)scoring-module ([^|>&#]+)", line):
            assert _unknown(shlex.split(found[1])) == [], line


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    for link in links(page):
        if not re.match(r"[a-z]+:", link):
            place, _, anchor = link.partition("#")
            target = (ROOT / page).parent / place if place else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT))), link


@pytest.mark.parametrize("page", pages())
def test_every_python_file_that_a_page_names_is_there(page: str) -> None:
    """By its path from the repository, from a room, or by its name alone."""
    every = [f"/{file}" for file in files()]
    words = [word for word in code_words(page) if re.fullmatch(r"[\w./]+\.py", word)]
    assert [word for word in words if not any(file.endswith(f"/{word}") for file in every)] == []


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith(("docs/", "README"))])
def test_every_page_is_found_from_the_readme(page: str) -> None:
    """In a link or two."""
    found = {"README.md"}
    for _ in range(2):
        found |= {_target(each, link) for each in sorted(found) if each.endswith(".md") for link in links(each)}
    assert page in found


def test_every_floor_that_is_held_is_in_the_tables_of_the_house() -> None:
    """Of the two packages; what stands on them is in pyproject.toml."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = {
        each["containers"][0]: re.findall(r"\w+", " ".join(each["layers"])) for each in contracts if "layers" in each
    }
    named = {word.rstrip("/") for word in code_words("docs/architecture.md")}
    assert {*held["module"], *held["scoring"]} - named == set()


def test_the_versions_of_the_page_are_those_of_the_package() -> None:
    """Python, the device SDK whose inside the tap knows, ONNX Runtime."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs/compatibility.md").read_text()
    fitting = [version.rstrip(".") for version in FITTING]
    oldest = [re.sub(r".*>=", "", project["optional-dependencies"][extra][0]) for extra in ("cpu", "gpu")]
    assert f"| Python | {project['requires-python'].removeprefix('>=')} and newer |" in page
    assert f"| azure-iot-device | {' and '.join(fitting)} |" in page
    assert {f"| ONNX Runtime | {version} and newer |" in page for version in oldest} == {True}
    major, minor = fitting[-1].split(".")
    assert f"azure-iot-device>={fitting[0]},<{major}.{int(minor) + 1}" in project["dependencies"]


def _target(page: str, link: str) -> str:
    place = ((ROOT / page).parent / link.partition("#")[0]).resolve()
    return str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else link


def _variables(file: Path) -> set[str]:
    try:
        return set(_VARIABLE.findall(file.read_text()))
    except UnicodeDecodeError:
        return set()


def _unknown(words: list[str]) -> list[str]:
    """Give what of a command line the parser does not know: a sub-command, or an option of it."""
    if not words[0].islower() or not words[0].isalpha():
        return []
    parser: argparse.ArgumentParser | None = PARSERS.get(words[0])
    if parser is None:
        return words[:1]
    verbs = subparsers(parser)
    parser = next((verbs[word] for word in words[1:] if word in verbs), parser)
    own = words[: words.index("--")] if "--" in words else words
    options = [word.partition("=")[0] for word in own if word.startswith("-") and len(word) > 1]
    return [each for each in options if each not in parser._option_string_actions]
