"""The environment's wheels for the image's platform, as layers: each big distribution in one of its own.

onnxruntime and numpy are big, so that a change of a small requirement leaves their layers as they are; and a device's
interrupted pull starts a layer over, so that several medium ones are better than one.
"""

import csv
import re
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from ...errors import PackagingError
from ..environment.lock import Lock
from ..environment.target import ELF_MACHINE, Target
from ..environment.uv_command import run_uv
from ..models.trees import walk
from ..registry.oci import Layer, Layout
from .contents import Entry, file_entry, folders_of
from .layers import pack
from .slimming import slim, smoke_test

PLACE = "opt/scoring/packages"
_CUDA = re.compile(r"(?:nvidia|cuda)-|triton$|pytorch-triton")
_WITHOUT_CUDA = {
    "torch": "torch comes without them from download.pytorch.org, or an index of your own (UV_INDEX)",
    "xgboost": "xgboost-cpu is xgboost without them",
}
_BIG = 16_000_000
_VERSION = 3  # of what this file makes: a new one makes every layer anew


class Package(msgspec.Struct, frozen=True):
    """A distribution in the image: name, version, licence (SPDX or as its author wrote it; empty if unsaid)."""

    name: str
    version: str
    license: str = ""


class Installed(msgspec.Struct, frozen=True):
    """Layers of packages, the distributions in them, what can be imported of them, and notes for the user."""

    layers: list[Layer]
    packages: list[Package]
    modules: list[str]
    notes: list[str]


def install(layout: Layout, lock: Lock, target: Target, *, no_slim: bool) -> Installed:
    """Give the layers of a lock's packages, from the layout if they were made before.

    Raises:
        PackagingError: a wheel is not to be had for the platform, or what was slimmed does not work.
    """
    key = f"packages {_VERSION} {lock.digest} {target.uv_platform} {target.python} {no_slim}"
    make = partial(_install, layout, lock, target, no_slim)
    return layout.once(key, Installed, make, lambda made: [layer.blob for layer in made.layers])


def fill(packages: Path, lock: Lock, target: Target, *more: str, no_slim: bool) -> dict[str, str]:
    """Put a lock's packages into a new folder, as the image has them, and give path → distribution.

    Args:
        packages: the folder.
        lock: which ones.
        target: where they have to run.
        more: options of uv's.
        no_slim: keep all of each.

    Raises:
        PackagingError: a wheel is not to be had for the platform.
    """
    pins = packages.with_name("requirements.txt")
    pins.write_text(lock.pins, encoding="utf-8")
    options = ["--require-hashes", "--no-deps", "--link-mode", "hardlink", *more]
    run_uv("pip", "install", *options, "--target", str(packages), "--requirement", str(pins), target=target)
    owners = _owners(packages)
    slim(packages, everything=no_slim)
    return owners


def _install(layout: Layout, lock: Lock, target: Target, no_slim: bool) -> Installed:
    with tempfile.TemporaryDirectory(dir=layout.folder, prefix=".packages-") as folder:
        packages = Path(folder, "packages")
        owners = fill(packages, lock, target, no_slim=no_slim)
        _check_machine(packages, target)
        smoke_test(packages, target)
        note = _cuda_note(packages, owners) if target.variant == "cpu" else ""
        layers = [
            pack(layout, [*entries, *folders_of(entries, PLACE)], name) for name, entries in _groups(packages, owners)
        ]
        return Installed(layers, list(_described(packages)), list(_modules(packages)), [note] if note else [])


def _groups(packages: Path, owners: dict[str, str]) -> Iterator[tuple[str, list[Entry]]]:
    """Give the big distributions, the biggest first, and then the rest together; each a name and its files."""
    files: dict[str, list[Entry]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for name, file in walk(packages):
        owner = owners.get(name, "")
        files[owner].append(file_entry(f"{PLACE}/{name}", file))
        sizes[owner] += file.stat().st_size
    big = sorted((each for each in files if each and sizes[each] >= _BIG), key=lambda each: (-sizes[each], each))
    for each in big:
        yield each, files.pop(each)
    if files:
        yield "other packages", [entry for each in sorted(files) for entry in files[each]]


def _owners(packages: Path) -> dict[str, str]:
    """Give path → distribution, as the distributions' own records say."""
    owners: dict[str, str] = {}
    for record in sorted(packages.glob("*.dist-info/RECORD")):
        name = record.parent.name.removesuffix(".dist-info").rpartition("-")[0].replace("_", "-").lower()
        with record.open(encoding="utf-8", newline="") as lines:
            owners |= {row[0]: name for row in csv.reader(lines) if row}
    return owners


def _cuda_note(packages: Path, owners: dict[str, str]) -> str:
    """Say what an image for a CPU carries in vain, and what has it brought."""
    sizes: dict[str, int] = defaultdict(int)
    for name, file in walk(packages):
        sizes[owners.get(name, "")] += file.stat().st_size
    in_vain = [size for name, size in sizes.items() if _CUDA.match(name)]
    remedies = "; ".join(remedy for name, remedy in _WITHOUT_CUDA.items() if name in sizes)
    if not in_vain:
        return ""
    return (
        f"{len(in_vain)} package(s) for CUDA take {sum(in_vain) / 1e6:,.0f} MB, which a CPU has no use for: {remedies}"
    )


def _modules(folder: Path, above: str = "") -> Iterator[str]:
    """Give what can be imported: modules and packages at the top, and of a namespace those in it."""
    for entry in sorted(folder.iterdir()):
        name = above + entry.name.partition(".")[0]
        if entry.suffix in {".py", ".so"} or (entry / "__init__.py").exists():
            yield name
        elif entry.is_dir() and entry.name.isidentifier():
            yield from _modules(entry, f"{name}.")


def _check_machine(packages: Path, target: Target) -> None:
    """Refuse a native library for another machine: what a source distribution built here would leave."""
    for name, file in walk(packages):
        if ".so" not in name:
            continue
        with file.open("rb") as opened:
            head = opened.read(20)
        if head[:4] == b"\x7fELF" and struct.unpack("<H", head[18:20])[0] != ELF_MACHINE[target.platform]:
            top = name.partition("/")[0]
            raise PackagingError(f"{top} has no wheel for {target.platform}: choose a version that has one")


def _described(packages: Path) -> Iterator[Package]:
    for metadata in sorted(packages.glob("*.dist-info/METADATA")):
        head = metadata.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version|License-Expression|License): (.*)$", head, re.MULTILINE))
        license_ = fields.get("License-Expression") or fields.get("License", "")
        yield Package(fields["Name"], fields["Version"], license_.strip()[:100])
