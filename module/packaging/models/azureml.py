"""Models in an Azure ML workspace, by its own client (extra ``[azureml]``), with the hashes that the folder store has.

The workspace's ``config.json`` is the one that its portal gives. Hashes are kept as properties of the model and
checked when it is downloaded; a model that somebody registered without them is taken as it comes.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ...errors import PackagingError, SettingsError
from .folder import FolderModels
from .model import Model, ModelReference, check_name, hash_of
from .trees import draft_folder, hash_tree

_SHA256, _SIZE = "scoring_sha256", "scoring_size"


class WorkspaceModels:
    """Registered models in a workspace."""

    def __init__(self, client: Any) -> None:
        """Use an ``azure.ai.ml.MLClient``."""
        self._client = client

    def register(self, name: str, path: Path, tags: Mapping[str, str] | None = None, description: str = "") -> Model:
        """Upload a file or folder as the next version of a name.

        Raises:
            SettingsError: the name or path does not fit.
            PackagingError: the workspace refuses it.
        """
        check_name(name)
        files = hash_tree(path)
        if not files:
            raise SettingsError(f"there is no model at {path}: give the file or folder to register with --path")
        from azure.ai.ml.entities import Model as WorkspaceModel  # noqa: PLC0415

        size = sum((path / file).stat().st_size for file in files)
        wanted = WorkspaceModel(
            name=name,
            path=str(path),
            type="custom_model",
            tags=dict(tags or {}),
            description=description,
            properties={_SHA256: hash_of(files), _SIZE: str(size)},
        )
        with _asking(f"register {name}"):
            return _read(self._client.models.create_or_update(wanted))

    def registered(self, name: str | None = None, damaged: list[str] | None = None) -> list[Model]:
        """Give every registered version, by name and number; ``damaged`` gets a sentence for each that is not ours."""
        models = self._client.models
        found = []
        with _asking("list the models"):
            names = [name] if name else [each.name for each in models.list()]
            for each in chain.from_iterable(models.list(name=one) for one in names):
                if str(each.version).isdecimal() or damaged is None:
                    found.append(_read(each))
                else:
                    damaged.append(f"the version of {each.name}:{each.version} is no number: register it again")
        return sorted(found, key=lambda model: (model.name, model.version))

    def show(self, reference: str) -> Model:
        """Give the model that ``name``, ``name:3`` or ``name@sha256:…`` means.

        Raises:
            PackagingError: there is none.
        """
        wanted = ModelReference.parse(reference)
        if wanted.version is not None:
            with _asking(f"show {reference}"):
                return _read(self._client.models.get(wanted.name, version=str(wanted.version)))
        found = [model for model in self.registered(wanted.name, []) if model.sha256.startswith(wanted.sha256)]
        if not found:
            raise PackagingError(f"there is no model {reference} in the workspace")
        return found[-1]

    def download(self, reference: str, target: Path) -> Path:
        """Download a model's file or folder into a folder and give its path there.

        Raises:
            PackagingError: there is none, something of its name is there already, or it is not what was registered.
        """
        model = self.show(reference)
        target.mkdir(parents=True, exist_ok=True)
        with draft_folder(target) as draft:
            with _asking(f"download {model}"):
                self._client.models.download(model.name, str(model.version), download_path=str(draft))
            came = draft / model.name  # the client puts the file or folder into it
            entries = list(came.iterdir()) if came.is_dir() else []
            came = entries[0] if len(entries) == 1 else came
            if model.sha256 and hash_of(hash_tree(came)) != model.sha256:
                raise PackagingError(f"{model} is not what was registered: it was changed in the workspace's storage")
            wanted = target / came.name
            if wanted.exists():
                raise PackagingError(f"{wanted} exists: give another folder with --to, or delete it")
            return came.rename(wanted)


def open_models(folder: Path | None = None, workspace: Path | None = None) -> FolderModels | WorkspaceModels:
    """Open the Azure ML workspace of a config.json if one is given, else the folder store.

    The login is the one that the Azure CLI, the environment or the machine's identity says.

    Raises:
        SettingsError: the workspace's client is not installed, or the store or the workspace's file is not there.
        PackagingError: the workspace cannot be opened.
    """
    if not workspace:
        return FolderModels(folder)
    if not workspace.exists():
        raise SettingsError(f"there is no --workspace {workspace}: give the config.json that its portal gives")
    try:
        from azure.ai.ml import MLClient  # noqa: PLC0415 - an extra, and seconds to import
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError("a workspace needs its client: pip install 'iotedge-scoring-module[azureml]'") from error
    logging.getLogger("azure").setLevel(logging.ERROR)
    with _asking(f"read the workspace in {workspace}"):
        client = MLClient.from_config(DefaultAzureCredential(), path=str(workspace), enable_telemetry=False)
        return WorkspaceModels(client)


def _read(found: Any) -> Model:
    properties = found.properties or {}
    created = getattr(found.creation_context, "created_at", None)
    return Model(
        name=found.name,
        version=int(found.version),
        entry=str(found.path).rstrip("/").rpartition("/")[2],
        sha256=properties.get(_SHA256, ""),
        size=int(properties.get(_SIZE, 0)),
        tags=dict(found.tags or {}),
        description=found.description or "",
        created=created.isoformat(timespec="seconds") if created else "",
    )


@contextmanager
def _asking(doing: str) -> Iterator[None]:
    """Put whatever the workspace's client raises (it has many roots) into one sentence."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(getattr(error, "message", "") or error).split())[:300]
        raise PackagingError(f"cannot {doing}: {reason or type(error).__name__}") from error
