"""The folder store of models: ``<store>/<name>/<version>/`` holds ``model.json`` and ``content/<file or folder>``.

A version appears by one rename of a complete folder. A rename onto a version that exists fails, so several writers
need no lock: the loser takes the next number, and numbers stay dense.
"""

import errno
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ...errors import PackagingError, SettingsError
from .model import Model, ModelReference, check_name, hash_of
from .trees import copy_tree, draft_folder, hash_tree

DEFAULT_STORE = Path("~/.local/share/scoring-module/models")
_CONTENT = "content"
_RECORD = "model.json"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_ENTRY = re.compile(r"(?!\.{1,2}$)[^/\0]+")
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.EACCES}  # the last is Windows' word for a folder that exists


class FolderModels:
    """Registered models in a folder; content hashes are checked on every read of content."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder: the one given, else SCORING_MODEL_STORE, else ~/.local/share/scoring-module/models.

        Raises:
            SettingsError: it is a file.
        """
        self.folder = (folder or Path(os.environ.get("SCORING_MODEL_STORE") or DEFAULT_STORE)).expanduser().absolute()
        if self.folder.is_file():
            raise SettingsError(f"the store of models {self.folder} is a file: give a folder with --store")

    def register(self, name: str, path: Path, tags: Mapping[str, str] | None = None, description: str = "") -> Model:
        """Copy a file or folder in as the next version of a name.

        Raises:
            SettingsError: the name does not fit, or the path is not there or empty.
            PackagingError: the store cannot be written.
        """
        check_name(name)
        if not path.exists():
            raise SettingsError(f"there is no model at {path}: give the file or folder to register with --path")
        try:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            with draft_folder(self.folder / name) as draft:
                return self._publish(draft, name, path.resolve(), dict(tags or {}), description)
        except OSError as error:
            raise PackagingError(f"cannot register {path} in {self.folder}: {error.strerror or error}") from error

    def registered(self, name: str | None = None, damaged: list[str] | None = None) -> list[Model]:
        """Give every registered version, by name and number.

        Args:
            name: only the versions of this one.
            damaged: gets a sentence for each that cannot be read; without it the first such ends the listing.

        Raises:
            PackagingError: the store cannot be read, or a record in it.
        """
        found = []
        for each in [name] if name else sorted(each.name for each in _folders(self.folder)):
            for number in self._versions(each):
                try:
                    found.append(self._read(each, number))
                except PackagingError as error:
                    if damaged is None:
                        raise
                    damaged.append(str(error))
        return found

    def show(self, reference: str) -> Model:
        """Give the model that ``name``, ``name:3`` or ``name@sha256:…`` means, its content checked.

        Raises:
            PackagingError: there is none, or its files are no longer those that were registered.
        """
        wanted = ModelReference.parse(reference)
        versions = self._versions(wanted.name)
        for number in reversed(versions):
            if wanted.version in {None, number}:
                try:
                    model = self._read(wanted.name, number)
                except PackagingError:
                    if not wanted.sha256:  # which another version may have
                        raise
                    continue
                if model.sha256.startswith(wanted.sha256):
                    break
        else:
            known = ", ".join(map(str, versions)) or "none"
            raise PackagingError(f"there is no model {reference} in {self.folder} (versions of {wanted.name}: {known})")
        if hash_tree(self.path(model)) != model.files:
            raise PackagingError(f"{model} in {self.folder} is damaged: its files are not those that were registered")
        return model

    def download(self, reference: str, target: Path) -> Path:
        """Copy a model's file or folder into a folder and give its path there.

        Raises:
            PackagingError: as show(), or something of its name is there already.
        """
        model = self.show(reference)
        wanted = target / model.entry
        if wanted.exists():
            raise PackagingError(f"{wanted} exists: give another folder with --to, or delete it")
        try:
            target.mkdir(parents=True, exist_ok=True)
            with draft_folder(target) as draft:
                if copy_tree(self.path(model), draft / model.entry) != model.files:
                    raise PackagingError(f"{model} in {self.folder} was damaged while it was read: try again")
                os.rename(draft / model.entry, wanted)
        except OSError as error:
            raise PackagingError(f"cannot write {wanted}: {error.strerror or error}") from error
        return wanted

    def path(self, model: Model) -> Path:
        """Give where the store keeps a model's file or folder."""
        return self.folder / model.name / str(model.version) / _CONTENT / model.entry

    def _publish(self, draft: Path, name: str, path: Path, tags: dict[str, str], description: str) -> Model:
        files = copy_tree(path, draft / _CONTENT / path.name)
        if not files:
            raise SettingsError(f"{path} holds no file: give the file or folder to register with --path")
        size = sum((draft / _CONTENT / path.name / each).stat().st_size for each in files)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        model = Model(name, 0, path.name, hash_of(files), size, files, tags, description, now)
        while True:
            number = max(self._versions(name), default=0) + 1
            model = msgspec.structs.replace(model, version=number)
            (draft / _RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(model)))
            try:
                os.rename(draft, self.folder / name / str(number))
            except OSError as error:
                if error.errno in _TAKEN and (self.folder / name / str(number)).exists():
                    continue
                raise
            return model

    def _versions(self, name: str) -> list[int]:
        return sorted(int(each.name) for each in _folders(self.folder / name) if _NUMBER.fullmatch(each.name))

    def _read(self, name: str, version: int) -> Model:
        record = self.folder / name / str(version) / _RECORD
        try:
            model = msgspec.json.decode(record.read_bytes(), type=Model)
            if (model.name, model.version) != (name, version) or not _ENTRY.fullmatch(model.entry):
                raise ValueError(f"it is of {model}, {model.entry!r}")
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PackagingError(f"{record} is damaged, register the model again: {reason}") from error
        return model


def _folders(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    except OSError as error:
        raise PackagingError(f"cannot read {folder}: {error.strerror}") from error
