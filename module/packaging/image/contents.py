"""What of a scoring directory and of a registered model goes into an image, and in which of its last two layers."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ...errors import PackagingError, SettingsError
from ..models.model import Model, hash_of
from ..models.trees import hash_file, walk
from .ignore import IgnoreRules
from .secrets_found import LOOKED_AT, secret_in

APP = "var/azureml-app"
RUNTIME = "opt/scoring/runtime"
COMMAND = "usr/local/bin/scoring-module"
JOURNAL = "var/lib/scoring"
USER = 10001
_TEXTS = {".py", ".json", ".yml", ".yaml", ".toml", ".cfg", ".ini", ".txt", ".md", ".csv"}
_SMALL = 256_000
_NAMED = 5
_WORKSHOP = ("module/packaging/", "module/simulator/")


class Entry(NamedTuple):
    """A file or folder in a layer.

    Attributes:
        path: without a leading slash.
        source: the file, its bytes, or None for a folder.
        mode: such as 0o644.
        owner: user and group id.
        sha256, size: of the file as it was read, and as it has to be when it is packed; empty of what has no key.
    """

    path: str
    source: Path | bytes | None
    mode: int = 0o644
    owner: int = 0
    sha256: str = ""
    size: int = 0


class Contents(NamedTuple):
    """What an image carries of its user.

    Attributes:
        script: entries of score.py and configuration.
        model: entries of the model; empty if there is none.
        registered: the model; of one that lies beside score.py its file's name and hash, version 0.
        script_sha256: of score.py; empty for a bare model.
        model_dir: what AZUREML_MODEL_DIR has to be; empty if the model lies beside score.py.
    """

    script: list[Entry]
    model: list[Entry]
    registered: Model | None
    script_sha256: str = ""
    model_dir: str = ""

    @property
    def files(self) -> dict[str, Path]:
        """Give path below APP → file, of all that is its user's."""
        sources = {each.path.removeprefix(f"{APP}/"): each.source for each in (*self.script, *self.model)}
        return {name: source for name, source in sources.items() if isinstance(source, Path)}

    def confirm(self) -> None:
        """Raise PackagingError if a file is no longer what it was; small ones lie in a place of our own."""
        for entry in (*self.script, *self.model):
            if isinstance(entry.source, Path) and not (
                entry.source.is_file() and hash_file(entry.source) == entry.sha256
            ):
                raise changed(entry)


def gather(
    directory: Path,
    model: Model | None,
    model_path: Path | None,
    allowed: Collection[str] = (),
    snapshot: Path | None = None,
) -> Contents:
    """Find what goes into the image, each file read once: what is looked at for secrets is what its hash says.

    Args:
        directory: the scoring directory.
        model: the registered model; None if it lies in the directory.
        model_path: where the store keeps its file or folder.
        allowed: names of what is packed though it looks like a secret or is a link that leads out.
        snapshot: a folder for copies of small files, which stand for them from then on, whatever their author saves.

    Raises:
        SettingsError: the directory is not there, cannot be read, holds neither a score.py nor a model, or something
            that is not for an image; the sentence names it.
        PackagingError: the model is not what was registered.
    """
    if not directory.is_dir():
        raise SettingsError(f"there is no scoring directory {directory}: give the folder with score.py")
    files = _files(directory, model.entry if model else "", allowed)
    registered, place = {}, ""
    if model and model_path:
        place = f"azureml-models/{model.name}/{model.version}"
        inside = dict(walk(model_path, allowed={name.removeprefix(f"{place}/{model.entry}/") for name in allowed}))
        registered = {f"{place}/{model.entry}/{name}".removesuffix("/."): name for name in inside}
        files |= {path: inside[name] for path, name in registered.items()}
    read = _read(directory, files, allowed, snapshot)
    hashes = {name: read[path].sha256 for path, name in registered.items()}
    if model and model.sha256 and hashes and hash_of(hashes) != model.sha256:
        raise PackagingError(f"{model} at {model_path} is damaged: its files are not those that were registered")
    beside = {
        name: entry
        for name, entry in read.items()
        if name not in registered and (Path(name).suffix not in _TEXTS or entry.size > _SMALL)
    }
    if not ("score.py" in read or beside or model):
        raise SettingsError(f"{directory} has neither a score.py nor a model: give one, or a model with --model")
    models = [entry for name, entry in read.items() if name in beside or name in registered]
    script = [entry for name, entry in read.items() if name not in beside and name not in registered]
    return Contents(
        [*script, *folders_of(script, APP), Entry(JOURNAL, None, 0o750, USER)],
        [*models, *folders_of(models, APP)] if models else [],
        model or _beside(beside),
        read["score.py"].sha256 if "score.py" in read else "",
        f"/{APP}/{place}" if place else "",
    )


def _files(directory: Path, registered: str, allowed: Collection[str]) -> dict[str, Path]:
    """Give path inside → file of what the ignore files leave; the registered model is not packed twice."""
    again = (re.sub(r"([*?\[\\])", r"\\\1", registered), "azureml-models") if registered else ()
    rules = IgnoreRules(directory, again)

    def skip(name: str, is_folder: bool) -> bool:
        return not (is_folder and rules.has_exceptions) and rules.leave_out(name)

    either = ", leave it out by a line in .dockerignore, or pack what it leads to with --allow {name}"
    return dict(walk(directory, skip, allowed=allowed, or_else=either))


def _read(
    directory: Path, files: Mapping[str, Path], allowed: Collection[str], snapshot: Path | None
) -> dict[str, Entry]:
    """Read files and refuse those that look like secrets: an image is read by all who may pull it, a deleted layer too.

    Raises:
        SettingsError: one cannot be read, or looks like a secret.
    """
    read, looks = {}, {}
    try:
        for name, file in files.items():
            read[name], head = _entry(f"{APP}/{name}", file, snapshot and snapshot / name)
            if name not in allowed and (what := secret_in(name, head)):
                looks[name] = what
    except OSError as error:
        raise SettingsError(f"cannot read {error.filename}: {error.strerror}") from error
    if looks:
        said = "; ".join(f"{name} looks like a secret ({what})" for name, what in [*looks.items()][:_NAMED])
        more = f"; and {len(looks) - _NAMED} more" if len(looks) > _NAMED else ""
        raise SettingsError(
            f"{directory}: {said}{more}: take it away, name it in .dockerignore, or pack it with --allow {min(looks)}"
        )
    return read


def _entry(path: str, file: Path, copy: Path | None = None) -> tuple[Entry, bytes]:
    """Read a file, once: gives its entry and its beginning; of a small one the entry has the copy."""
    sha256 = hashlib.sha256()
    with file.open("rb") as opened:
        head = opened.read(LOOKED_AT)
        sha256.update(head)
        size = len(head)
        while size >= LOOKED_AT and (block := opened.read(1 << 20)):
            sha256.update(block)
            size += len(block)
    if copy and size <= _SMALL:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(head)
        except OSError as error:
            where = f"{copy}: {error.strerror}"
            raise PackagingError(f"cannot write {where}; make room or give another --layout") from error
        file = copy
    return Entry(path, file, sha256=sha256.hexdigest(), size=size), head


def changed(entry: Entry) -> PackagingError:
    """Give the sentence for a file that is not what it was when its hash was taken."""
    return PackagingError(f"{entry.path.removeprefix(f'{APP}/')} changed while the image was built: build again")


def _beside(files: dict[str, Entry]) -> Model | None:
    """Describe the model that lies beside score.py: the .onnx file, else whatever is no text."""
    chosen = {name: file for name, file in files.items() if name.endswith(".onnx")} or files
    if not chosen:
        return None
    hashes = {"." if len(chosen) == 1 else name: entry.sha256 for name, entry in chosen.items()}
    size = sum(entry.size for entry in chosen.values())
    return Model(", ".join(sorted(chosen)), 0, "", hash_of(hashes), size)


def runtime(python: str = "/usr/bin/env python3") -> list[Entry]:
    """Give the entries of this runtime: ``module`` and ``scoring``, without what builds images or simulates edgeHub.

    The command ``scoring-module`` is among them, on the PATH, run by this Python.
    """
    entries = [
        _entry(f"{RUNTIME}/{package}/{name}", file)[0]
        for package in ("module", "scoring")
        for name, file in walk(Path(str(resources.files(package))))
        if "__pycache__" not in name and not f"{package}/{name}".startswith(_WORKSHOP)
    ]
    command = Entry(COMMAND, f"#!{python}\nfrom module.cli import main\n\nmain()\n".encode(), 0o755)
    return [*entries, *folders_of(entries, RUNTIME), command]


def folders_of(entries: Iterable[Entry], root: str) -> list[Entry]:
    """Give entries for the folders below a root, and the root, that hold these entries."""
    folders = {root}
    for entry in entries:
        parts = entry.path.split("/")[:-1]
        folders |= {"/".join(parts[:depth]) for depth in range(root.count("/") + 1, len(parts) + 1)}
    return [Entry(folder, None, 0o755) for folder in folders]


def file_entry(path: str, source: Path) -> Entry:
    """Give the entry of a file: executable by all if it is by its owner, else only readable."""
    return Entry(path, source, 0o755 if source.stat().st_mode & 0o100 else 0o644)


def key_of(entries: Sequence[Entry]) -> str:
    """Give a text that is the same for the same layer: paths, modes, owners and contents."""
    return "\n".join(
        f"{each.path} {each.mode:o} {each.owner} {each.sha256 or repr(each.source)}"
        for each in sorted(entries, key=lambda each: each.path)
    )


def unpack(directory: str, out: str, *allowed: str) -> None:
    """Write files for the Dockerfile to copy: ``runtime``, ``model`` and ``script``, each as it lies in an image.

    Run by the image's Python: its path is in the first line of the command. All is dated 1970.

    Raises:
        SettingsError: as for `build`: nothing to score with, a secret, or a link that leads out.
    """
    contents = gather(Path(directory), None, None, allowed)
    python = os.path.realpath(sys.executable)
    for name, entries in (("runtime", runtime(python)), ("model", contents.model), ("script", contents.script)):
        _write(Path(out, name), entries)


def _write(root: Path, entries: Sequence[Entry]) -> None:
    root.mkdir(parents=True)
    for path, source, mode, *_ in sorted(entries, key=lambda each: each.path):
        file = root / path
        (file if source is None else file.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            file.write_bytes(source)
        elif source is not None:
            shutil.copyfile(source, file)
        file.chmod(mode)
    for each in (*root.rglob("*"), root):
        os.utime(each, (0, 0))


if __name__ == "__main__":
    unpack(*sys.argv[1:])
