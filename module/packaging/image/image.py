"""Assembles an image without a container engine: layers, configuration, manifest, in an OCI layout.

From the base up: onnxruntime, numpy, other packages, this runtime, the model, score.py and configuration; what changes
most often comes last, and what has not changed is not made again.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from ... import __version__
from ...errors import SettingsError
from ..environment import environment, lock
from ..environment.target import OLDEST_PYTHON, Target, check_platform, check_python, why_not_here
from ..models.model import Model
from ..models.trees import draft_folder
from ..registry.attached import attach
from ..registry.credentials import Access
from ..registry.oci import BASE_NAME, CONFIG, Layer, Layout
from ..registry.oci_documents import Container, Descriptor
from ..registry.reference import ImageReference
from . import documents
from .base import Base, open_base
from .contents import APP, JOURNAL, RUNTIME, USER, Contents, gather, key_of, runtime
from .layers import pack
from .packed_check import check_packed
from .script_check import check_for, check_needs, check_script, notes_on_versions
from .wheels import PLACE, Installed, install

_BASE = "docker.io/library/python:{python}-slim-bookworm"
_PYTHON = "3.12"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what engines take for a base without one
_EPOCH = "1970-01-01T00:00:00Z"
_LABEL = "scoring"


class BuildOptions(NamedTuple):
    """What to build.

    Attributes:
        directory: with score.py, or only a model.
        name: of the image.
        model, model_path: a registered model and where it is; None if it lies in the directory.
        base: the base image, see open_base(); empty: Debian's with the Python that the environment asks for.
        platform: ``linux/amd64`` or ``linux/arm64``.
        variant: ``cpu`` or ``gpu``.
        tags, description: kept in its provenance, where they change nothing of it.
        no_slim: keep all of every package.
        upgrade: lock the newest versions and the newest base image.
        any_python: take the base image's Python whatever the environment asks for.
        check: run `check` on what is packed, where this machine can.
        allow: names of files that are packed though they look like secrets, and of links that lead out.
    """

    directory: Path
    name: ImageReference
    model: Model | None = None
    model_path: Path | None = None
    base: str = ""
    platform: str = "linux/amd64"
    variant: str = "cpu"
    tags: Mapping[str, str] = {}
    description: str = ""
    no_slim: bool = False
    upgrade: bool = False
    any_python: bool = False
    check: bool = False
    allow: Sequence[str] = ()


class Built(NamedTuple):
    """An image in the layout.

    Attributes:
        manifest: its descriptor.
        layers: the layers on top of the base.
        documents: the blobs with its bill of materials and its provenance, which are attached to it.
        notes: sentences about what was left out or changed.
        files: path in the scoring directory's place → bytes of what is packed of its user, the largest first.
    """

    manifest: Descriptor
    layers: list[Layer]
    documents: list[Descriptor]
    notes: list[str]
    files: dict[str, int]


def build(layout: Layout, options: BuildOptions, access: Access) -> Built:
    """Build an image and let its name mean it in the layout.

    Raises:
        SettingsError: the platform, the directory, its script or environment, or the base image does not fit.
        PackagingError: something that it needs cannot be had; the sentence names it.
        ScriptError: check finds that the script or its model does not work.
    """
    check_platform(options.platform)
    with draft_folder(layout.folder) as snapshot:
        try:
            return _build(layout, options, access, snapshot)
        except SettingsError as error:
            raise SettingsError(str(error).replace(str(snapshot), str(options.directory))) from error


def _build(layout: Layout, options: BuildOptions, access: Access, snapshot: Path) -> Built:
    contents = gather(options.directory, options.model, options.model_path, options.allow, snapshot)
    file = environment.find(options.directory)
    as_packed = contents.files.get(file.name, file) if file else None
    asked = environment.read(as_packed, gpu=options.variant == "gpu") if as_packed else environment.Environment()
    check_script(contents.files, asked.python or _PYTHON)
    before = lock.read(options.directory / Target(options.platform, options.variant, "", "").lock_name)
    base_name = options.base or _default_base(asked.python)
    base = open_base(layout, base_name, "" if options.upgrade else before.base, options.platform, access)
    target = Target(options.platform, options.variant, base.info.python, base.info.glibc)
    note = check_python(asked.python, target.python, base.name, any_python=options.any_python)
    keys = key_of(contents.model), key_of(contents.script)
    compiled = f"compiled 2 {sys.version} {target.python}\n{keys[1]}"
    grammar = layout.once(compiled, str, partial(check_for, contents.files, target.python), lambda _: [])
    requirements = [*lock.runtime_requirements(options.variant), *asked.requirements]
    pin = f"{base.name}@{base.digest}" if base.remote else ""
    locked = lock.bring_up_to_date(before, requirements, target, pin, upgrade=options.upgrade)
    installed = install(layout, locked, target, no_slim=options.no_slim)
    check_needs(contents.files, {*installed.modules, *base.info.modules}, target.python, file)
    tried = [*notes_on_versions(contents.files, {each.name: each.version for each in installed.packages})]
    if reason := why_not_here(target):
        tried.append(f"nothing of the image was tried: {reason}")
    elif options.check:
        packed = "\n".join(keys)
        tried.append(check_packed(layout, locked, target, contents, packed, no_slim=options.no_slim))
    layers = [*installed.layers, *_own_layers(layout, contents, keys, base.info.executable)]
    labels = _labels(contents, base, installed, locked=locked.digest)
    config = layout.put_json(_config(base, layers, contents, labels, options.variant), CONFIG)
    manifest = layout.put_manifest(config, [*base.layers, *(layer.blob for layer in layers)])
    notes = [*asked.notes, *(each for each in (note, grammar, *tried) if each), *installed.notes]
    files = [each for each in (*contents.script, *contents.model) if each.sha256]
    files.sort(key=lambda each: (-each.size, each.path))
    largest = {each.path.removeprefix(f"{APP}/"): each.size for each in files}
    made = _attach(layout, options, manifest, installed, base=base, locked=locked, contents=contents)
    layout.sweep()
    return Built(manifest, layers, made, notes, largest)


def _attach(
    layout: Layout,
    options: BuildOptions,
    image: Descriptor,
    installed: Installed,
    *,
    base: Base,
    locked: lock.Lock,
    contents: Contents,
) -> list[Descriptor]:
    """Let the name mean the image, with its documents attached; gives their blobs."""
    name = f"{options.name.host}/{options.name.repository}"  # without the tag: an image has these once
    bill = documents.bill_of_materials(name, base, installed.packages, contents, options.platform.partition("/")[2])
    asked = {each: getattr(options, each) for each in ("platform", "variant", "no_slim", "description", "tags")}
    statement = documents.provenance(name, image.digest, asked, base=base, lock=locked, contents=contents)
    made = [layout.put(bill, documents.SBOM), layout.put(statement, documents.PROVENANCE)]
    beside = {BASE_NAME: base.name} if base.remote else {}  # not in the manifest: of a mirror it is another one
    named = structs.replace(image, annotations=beside)
    layout.tag(str(options.name), named, [attach(layout, image, each) for each in made])
    return made


def _default_base(python: str) -> str:
    """Give a base image with this Python; with one that there are wheels for, if it is too old or not said."""
    parts = tuple(map(int, python.split("."))) if python else ()
    return _BASE.format(python=python if len(parts) == 2 and parts >= OLDEST_PYTHON else _PYTHON)


def _own_layers(layout: Layout, contents: Contents, keys: tuple[str, str], python: str) -> Iterator[Layer]:
    """Give the layers of what is not from a package index, those of last time where nothing in them has changed."""
    ours = runtime(python)
    for entries, key, purpose in (
        (ours, key_of(ours), "this runtime"),
        (contents.model, keys[0], "model"),
        (contents.script, keys[1], "score.py and configuration"),
    ):
        if entries:
            make = partial(pack, layout, entries, purpose)
            yield layout.once(f"layer 2 {purpose}\n{key}", Layer, make, lambda layer: [layer.blob])


def _labels(contents: Contents, base: Base, installed: Installed, *, locked: str) -> dict[str, str]:
    """Say on the image what is in it, and nothing else: the same files have the same digest, whatever they are called.

    It can be read by ``podman inspect`` and by a registry, without running it.
    """
    model = contents.registered
    versions = {each.name.lower(): each.version for each in installed.packages}
    labels = {
        "org.opencontainers.image.base.digest": base.digest,
        f"{_LABEL}.runtime.version": __version__,
        f"{_LABEL}.python.version": base.info.python,
        f"{_LABEL}.onnxruntime.version": versions.get("onnxruntime") or versions.get("onnxruntime-gpu", ""),
        f"{_LABEL}.script.sha256": contents.script_sha256,
        f"{_LABEL}.requirements.sha256": locked,
        f"{_LABEL}.model.name": model.name if model else "",
        f"{_LABEL}.model.version": str(model.version) if model and model.version else "",
        f"{_LABEL}.model.sha256": model.sha256 if model else "",
    }
    return {name: value for name, value in labels.items() if value}


def _config(
    base: Base, layers: Sequence[Layer], contents: Contents, labels: Mapping[str, str], variant: str
) -> dict[str, object]:
    """Give the image configuration: the base's, with our user, entry point, environment and layers."""
    theirs = base.config.config or Container()
    variables = dict(line.partition("=")[::2] for line in theirs.env or [_PATH])
    variables |= _environment(contents, variant)
    history = [{"created": _EPOCH, "created_by": f"scoring-module build: {layer.purpose}"} for layer in layers]
    diff_ids = [*base.config.rootfs.diff_ids, *(layer.diff_id for layer in layers)]
    return {
        "architecture": base.config.architecture,
        "os": base.config.os,
        "created": _EPOCH,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [f"{name}={value}" for name, value in variables.items()],
            "Entrypoint": [base.info.executable, "-m", "module.cli"],
            "Cmd": ["run"],
            "WorkingDir": "/var/azureml-app",
            "ExposedPorts": {"9600/tcp": {}},
            "StopSignal": "SIGTERM",
            "Labels": {**(theirs.labels or {}), **labels},
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [*(base.config.history or []), *history],
    }


def _environment(contents: Contents, variant: str) -> dict[str, str]:
    variables = {
        "PYTHONPATH": f"/{RUNTIME}:/{PLACE}",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "SCORING_DIR": "/var/azureml-app",
        "SCORING_JOURNAL_DIR": f"/{JOURNAL}",
    }
    if contents.model_dir:
        variables["AZUREML_MODEL_DIR"] = contents.model_dir
    if variant == "gpu":
        variables |= {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    return variables
