"""``myenv.yml`` or ``requirements.txt`` → pip requirements; each line that changes is named."""

import re
import reprlib
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ...errors import SettingsError
from ..masking import masked
from . import conda_names

_SPEC = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<version>[^\[]*)(?P<rest>\[.*)?")
_CONDA_LISTS = ("dependencies", "channels", "platforms")
_PYTHON = re.compile(r"\d{1,3}(?:\.\d{1,3})?(?!\d)")
_SHORT = reprlib.Repr()  # of what YAML's aliases make huge
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 10_000, 10_000
_LONGEST, _QUOTED = 1 << 20, 300
_HASH = re.compile(r"\s--hash=(\S+)")


@dataclass(slots=True)
class Environment:
    """What a scoring script needs beside the runtime.

    Attributes:
        requirements: pip requirement lines, with the hashes that they name.
        notes: a sentence for each line that was dropped or changed.
        python: the Python that it asks for, such as ``3.11``; empty if it does not say.
    """

    requirements: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    python: str = ""


def find(directory: Path) -> Path | None:
    """Give the environment file of a scoring directory: ``myenv.yml`` before ``requirements.txt``; None without one."""
    names = ("myenv.yml", "myenv.yaml", "conda.yml", "environment.yml", "requirements.txt")
    return next((directory / name for name in names if (directory / name).is_file()), None)


def read(file: Path, *, gpu: bool = False) -> Environment:
    """Read an environment file.

    Args:
        file: a conda environment, or a list of pip requirements if its name ends with ``.txt``.
        gpu: the image gets onnxruntime-gpu, and a line that asks for onnxruntime means that.

    Raises:
        SettingsError: the file cannot be read, or a line has no pip form; the sentence names it and the remedy.
    """
    text = text_of(file)
    try:
        lines = _pip_lines(text) if file.suffix == ".txt" else _conda_lines(yaml.load(text, _Loader))  # noqa: S506 - a safe one
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            reason = (
                f"line {error.problem_mark.line + 1}: {error.problem} (are its blanks those of the lines beside it?)"
            )
        raise SettingsError(f"{file} is no conda environment: {masked(reason)[:_QUOTED]}") from error
    reading = _Reading(file, gpu)
    for kind, line in lines:
        reading.add(kind, line)
    return reading.found


def text_of(file: Path) -> str:
    """Give the text of a file.

    Raises:
        SettingsError: it cannot be read, or is no text in UTF-8.
    """
    try:
        if file.stat().st_size > _LONGEST:
            raise SettingsError(f"{file} has more than {_LONGEST:,} bytes: it is a list of packages")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{file} is no UTF-8 (line {line}): save it as UTF-8") from error


class _Loader(yaml.SafeLoader):
    """Reads YAML as the safe loader does, but nothing that loses a line: a key twice, a text that goes on below."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Make a mapping; raises ValueError."""
        keys = Counter(each.value for each, _ in node.value if isinstance(each.value, str))
        if twice := [key for key, count in keys.items() if count > 1]:
            raise ValueError(f"line {node.start_mark.line + 1}: {twice[0]!r} is there twice, make one list of them")
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> str:
        """Make a text; raises ValueError."""
        if node.style is None and node.end_mark.line > node.start_mark.line:
            where = f"line {node.end_mark.line + 1} goes on with line {node.start_mark.line + 1}"
            raise ValueError(f"{where}: give each package a line with a dash, all dashes below each other")
        return str(super().construct_scalar(node))


def _pip_lines(text: str) -> list[tuple[str, str]]:
    """Give the requirement lines, comments cut and continued lines joined."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return [("pip", line) for line in lines if line]


def _conda_lines(document: object) -> list[tuple[str, str]]:
    """Give ``("conda" or "pip", line)`` for each dependency; raises ValueError."""
    fields = document if isinstance(document, dict) else {}
    dependencies = fields.get("dependencies")
    if not isinstance(dependencies, list):
        raise ValueError("it has no list of dependencies")
    if lost := [
        name
        for name, value in fields.items()
        if name == "pip" or (name not in _CONDA_LISTS and isinstance(value, list))
    ]:
        raise ValueError(
            f"{lost[0]!r} stands beside the dependencies: if it is one, give its line more blanks and a dash"
        )
    lines: list[tuple[str, str]] = []
    for each in dependencies:
        if isinstance(each, dict) and set(each) == {"pip"}:
            packages = each["pip"] or []
            if not isinstance(packages, list) or not all(isinstance(line, str) for line in packages):
                raise ValueError(f"{_SHORT.repr(packages)} is no list of packages: give each a line with a dash")
            lines += _pip_lines("\n".join(packages))
        elif isinstance(each, str):
            lines.append(("conda", each.strip()))
        else:
            raise ValueError(f"{_SHORT.repr(each)} is neither a package nor a pip section")
    return lines


class _Reading:
    """One file being read, line by line."""

    def __init__(self, file: Path, gpu: bool) -> None:
        self.file, self.gpu, self.found = file, gpu, Environment()

    def add(self, kind: str, line: str) -> None:
        wanted = self._from_conda(line) if kind == "conda" else self._checked(line, line)
        if wanted is None:
            return
        name = canonicalize_name(wanted.name)
        if reason := conda_names.LEFT_OUT.get(name) or (name.startswith("azureml-") and conda_names.AZUREML):
            self.note(line, f"left out: {reason}")
            return
        onnxruntime = "onnxruntime-gpu" if self.gpu else "onnxruntime"
        becomes = {"onnxruntime": onnxruntime, "onnxruntime-gpu": onnxruntime, "sklearn": "scikit-learn"}.get(
            name, name
        )
        if becomes != name:
            wanted.name = becomes
            self.note(line, f"became {wanted}")
        elif kind == "conda" and str(wanted) != line.replace(" ", ""):
            self.note(line, f"became {wanted}")
        hashes = dict.fromkeys(_HASH.findall(line)) if kind == "pip" else {}
        if weak := [each for each in hashes if not re.fullmatch("sha256:[0-9a-f]{64}", each)]:
            raise self.refuse(line, f"has a hash that a lock cannot keep, {weak[0]}: name those with sha256:")
        self.found.requirements.append(" ".join([str(wanted), *(f"--hash={each}" for each in hashes)]))

    def note(self, line: str, what: str) -> None:
        self.found.notes.append(f"{self.file.name}: {masked(line)[:_QUOTED]!r} {masked(what)}")

    def refuse(self, line: str, why: str) -> SettingsError:
        return SettingsError(f"{self.file}: {masked(line)[:_QUOTED]!r} {masked(why)}")

    def _checked(self, text: str, line: str) -> Requirement | None:
        if text.startswith("-") or "git+" in text:
            raise self.refuse(
                line,
                "is not a package with a version: pip's options and sources have no place in an "
                "image that is to be the same next month; name the package, set indexes by UV_INDEX",
            )
        try:
            wanted = Requirement(_HASH.sub("", text))
        except InvalidRequirement as error:
            raise self.refuse(line, f"is no pip requirement: {str(error).splitlines()[0]}") from error
        if wanted.url and masked(wanted.url) != wanted.url:
            raise self.refuse(line, "has a login that the lock would keep: name the package, set indexes by UV_INDEX")
        return wanted

    def _from_conda(self, line: str) -> Requirement | None:
        match = _SPEC.fullmatch(line.rpartition("::")[2].strip())
        if match is None:
            raise self.refuse(line, "is no conda package: write name=version")
        name, version = match["name"].lower(), match["version"].strip()
        if name == "python":
            found = _PYTHON.search(version)
            self.found.python = found[0] if found else ""
            return None
        if remedy := conda_names.CONDA_ONLY.get(name):
            raise self.refuse(line, f"exists in conda only: {remedy}")
        if "|" in version or match["rest"]:
            raise self.refuse(line, "has alternatives that pip cannot say: write one range, such as name>=1.2,<2")
        return self._checked(conda_names.TO_PIP.get(name, name) + _pip_version(version), line)


def _pip_version(version: str) -> str:
    """Translate ``=1.2`` → ``==1.2.*``, ``=1.2=build`` and ``1.2 build`` → without the build; ranges stay."""
    if not version or version == "*":
        return ""
    if re.match(r"[<>!~]|==", version):
        return ",".join(part.split("=py")[0].strip() for part in version.split(","))
    exact = version.lstrip("=").replace("=", " ").split()
    if len(exact) > 1:
        return f"=={exact[0]}"
    return f"=={exact[0].removesuffix('.*').removesuffix('*').rstrip('.')}.*"
