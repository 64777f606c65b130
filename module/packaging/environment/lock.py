"""Requirements locked with hashes beside score.py, so that the same inputs give the same image next month."""

import hashlib
import re
import tempfile
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...errors import PackagingError, SettingsError
from ..masking import masked
from ..models.trees import write_whole
from .environment import text_of
from .target import Target
from .uv_command import run_uv

_DISTRIBUTION = "iotedge-scoring-module"
_INPUTS, _BASE = "# inputs: ", "# base: "
_PIN = re.compile(
    r"^([A-Za-z0-9][\w.-]*)((?:==| @ )\S+(?: ; [^\\\n]*)?)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)\n", re.MULTILINE
)
_HEAD = "# Written by `scoring-module build`; keep it under version control. New versions: build with --upgrade.\n"


class Lock(NamedTuple):
    """A lock file.

    Attributes:
        file: where it is.
        inputs: what it was made from, a SHA-256.
        base: the base image by digest, empty if it is a local one.
        pins: uv's requirement lines with hashes.
    """

    file: Path
    inputs: str = ""
    base: str = ""
    pins: str = ""

    @property
    def digest(self) -> str:
        """Give the SHA-256 of the pins."""
        return hashlib.sha256(self.pins.encode()).hexdigest()


def read(file: Path) -> Lock:
    """Read a lock file; an empty one if it is not there or says nothing of what it was made from.

    Raises:
        SettingsError: it cannot be read, or has something else than packages with hashes in it, such as an index.
    """
    text = text_of(file) if file.is_file() else ""
    head = dict(re.findall(rf"^({_INPUTS}|{_BASE})(.*)$", text, re.MULTILINE))
    if _INPUTS not in head:
        return Lock(file)
    pins = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    if other := _PIN.sub("", pins).strip().partition("\n")[0]:
        raise SettingsError(f"{file}: {masked(other)[:100]!r} is no package with hashes: delete it and lock anew")
    return Lock(file, head[_INPUTS], head.get(_BASE, ""), pins)


def runtime_requirements(variant: str) -> list[str]:
    """Give what this runtime itself needs, as its distribution says."""
    needed = []
    for line in metadata.requires(_DISTRIBUTION) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": variant, "sys_platform": "linux"}):
            requirement.marker = None
            needed.append(str(requirement))
    if variant == "gpu":  # with the CUDA and cuDNN libraries: the base image has none
        needed = [line.replace("onnxruntime-gpu", "onnxruntime-gpu[cuda,cudnn]") for line in needed]
    return needed


def bring_up_to_date(lock: Lock, requirements: list[str], target: Target, base: str, *, upgrade: bool) -> Lock:
    """Give the lock of these requirements, made anew only if something it was made from has changed.

    Raises:
        PackagingError: they cannot be met together on that platform; uv's reason in one sentence.
    """
    made_from = "\n".join([*sorted(requirements), target.uv_platform, target.python, target.variant])
    inputs = hashlib.sha256(made_from.encode()).hexdigest()
    if inputs == lock.inputs and not upgrade:
        fresh = lock._replace(base=base)
    else:
        fresh = Lock(lock.file, inputs, base, _compile(requirements, target, "" if upgrade else lock.pins))
    if fresh != lock:
        content = f"{_HEAD}{_INPUTS}{fresh.inputs}\n{_BASE}{fresh.base}\n{fresh.pins}"
        try:
            write_whole(lock.file, content.encode(), 0o644)
        except OSError as error:
            raise PackagingError(f"cannot write {lock.file}: {error.strerror}") from error
    return fresh


def _compile(requirements: list[str], target: Target, pins: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        asked, locked = Path(folder, "requirements.in"), Path(folder, "requirements.lock")
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        locked.write_text(pins, encoding="utf-8")  # uv keeps the versions that it finds there
        options = ["--generate-hashes", "--no-annotate", "--no-header"]
        run_uv("pip", "compile", *options, str(asked), "--output-file", str(locked), target=target)
        return _narrowed(locked.read_text(encoding="utf-8"), requirements)


def _narrowed(pins: str, requirements: list[str]) -> str:
    """Give the pins with those hashes alone that a requirement names, if it names any; raises SettingsError."""
    named: dict[str, set[str]] = defaultdict(set)
    for line in requirements:
        text, *hashes = line.split(" --hash=")
        named[canonicalize_name(Requirement(text).name)].update(hashes)

    def narrow(pin: re.Match[str]) -> str:
        wanted = named[canonicalize_name(pin[1])]
        hashes = [each for each in re.findall(r"sha256:\w+", pin[3]) if not wanted or each in wanted]
        if not hashes:
            raise SettingsError(
                f"{pin[1]}{pin[2]} has no file with the hash that is given for it: correct or drop --hash"
            )
        return " \\\n".join([pin[1] + pin[2], *(f"    --hash={each}" for each in hashes)]) + "\n"

    return _PIN.sub(narrow, pins)
