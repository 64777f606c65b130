"""The command line of ``scoring-module init``, ``models``, ``build`` and ``push``."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import PackagingError, SettingsError
from ..logs import say
from .arguments import refuse_empty

# What each command needs beyond this file is imported when it runs: `scoring-module run` starts without it.
# ruff: noqa: PLC0415

_MODELS = """\
examples:
  scoring-module models register --name turbofan-rul --path model.onnx --tag data=FD001 --description "RMSE 15.2"
  scoring-module models list
  scoring-module models download turbofan-rul:3 --to .
"""
_INIT = """\
examples:
  scoring-module init rul --from model.onnx
  scoring-module check --scoring-dir rul
"""
_BUILD = """\
examples:
  scoring-module build examples/turbofan --image myregistry.azurecr.io/scoring:7 --model turbofan-rul --push
  scoring-module build . --image myregistry.azurecr.io/scoring:7-arm64 --platform linux/arm64
"""
_PUSH = """\
credentials, the first that there are: --username with --password-stdin; CONTAINER_REGISTRY_SERVER,
CONTAINER_REGISTRY_USERNAME and CONTAINER_REGISTRY_PASSWORD or CONTAINER_REGISTRY_ENTRA_TOKEN in the environment, else
in .env in this folder; docker login; az login

example:
  scoring-module push myregistry.azurecr.io/scoring:7
"""


_INSPECT = """\
examples:
  scoring-module inspect myregistry.azurecr.io/scoring:7
  scoring-module inspect oci:build/layout:myregistry.azurecr.io/scoring:7 --json
"""


def register(commands: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the sub-commands with the command line's own ``add(commands, name, command, summary, epilog)``."""
    init = add(commands, "init", _init, "begin a scoring folder, around a model or with a script to fill in", _INIT)
    init.add_argument("directory", type=Path, metavar="DIR", help="made if it is not there; nothing is written over")
    kinds = "a .onnx, .pkl, .pickle, .joblib or MLmodel"
    init.add_argument("--from", type=Path, dest="model", metavar="MODEL", help=kinds)
    _models_arguments(add(commands, "models", _models, "a registry of models", _MODELS))
    _build_arguments(add(commands, "build", _build, "build an image without a container engine", _BUILD))
    push = add(commands, "push", _push, "push an image to its registry", _PUSH)
    push.add_argument("image", metavar="REGISTRY/NAME:TAG", help="as it was built")
    _registry_arguments(push)
    summary = "print an image's SBOM and provenance, of one that was built here, of a layout, or of a registry"
    inspect = add(commands, "inspect", _inspect, summary, _INSPECT)
    inspect.add_argument("image", metavar="IMAGE", help="a name, oci:DIR[:TAG], or the path of a layout or its tar")
    inspect.add_argument("--registry", action="store_true", help="ask the registry even if it was built here")
    inspect.add_argument("--json", action="store_true", help="print JSON, the whole documents in it")
    _registry_arguments(inspect)


def _models_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    register_, list_ = verbs.add_parser("register", help="a file or folder"), verbs.add_parser("list", help="all")
    show, download = verbs.add_parser("show", help="one, checked"), verbs.add_parser("download", help="a copy")
    register_.add_argument("--name", required=True)
    register_.add_argument("--path", required=True, type=Path, help="the file or folder")
    register_.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE")
    register_.add_argument("--description", default="")
    list_.add_argument("--name", help="only the versions of this one")
    for verb in (show, download):
        verb.add_argument("model", metavar="NAME[:VERSION]", help="or NAME@sha256:…")
    download.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="default: here")
    for verb in (register_, list_, show, download):
        verb.add_argument("--store", type=Path, metavar="DIR", help="default: SCORING_MODEL_STORE, else in your home")
        verb.add_argument("--workspace", type=Path, metavar="FILE", help="an Azure ML workspace's config.json instead")
        verb.add_argument("--json", action="store_true", help="print JSON")


def _build_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("directory", type=Path, metavar="SCORING_DIR", help="with score.py and myenv.yml or requirements.txt")
    option("--image", required=True, metavar="REGISTRY/NAME:TAG")
    option("--model", metavar="NAME[:VERSION]", help="a registered one; else what lies in SCORING_DIR")
    option("--store", type=Path, metavar="DIR", help="where it is registered")
    option("--workspace", type=Path, metavar="FILE", help="an Azure ML workspace's config.json instead")
    option(
        "--base",
        metavar="IMAGE",
        help="in a registry, oci:DIR[:TAG] or a tar (default: SCORING_BASE_IMAGE, else Python on Debian)",
    )
    option("--platform", default="linux/amd64", help="or linux/arm64 (default: %(default)s)")
    option("--variant", choices=("cpu", "gpu"), default="cpu", help="default: %(default)s")
    option("--tag", action="append", default=[], metavar="NAME=VALUE", help="kept in its provenance")
    option("--description", default="", help="kept in its provenance")
    option("--no-slim", action="store_true", help="keep tests, headers and the like of every package")
    option("--upgrade", action="store_true", help="lock the newest versions and the newest base image")
    option("--any-python", action="store_true", help="take the base image's Python whatever the environment asks for")
    option("--no-check", dest="check", action="store_false", help="do not run check on what is packed")
    option(
        "--allow",
        action="append",
        default=[],
        metavar="NAME",
        help="pack this though it looks like a secret or leads out",
    )
    option("--list", action="store_true", help="print the name and the size of every file that is packed")
    option("--push", action="store_true", help="and push it")
    _registry_arguments(parser)


def _registry_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--layout", type=Path, metavar="DIR", help="an OCI layout (default: SCORING_LAYOUT, else in your cache)")
    option("--username", default="", help="with --password-stdin")
    option("--password-stdin", action="store_true", help="read the password from standard input")
    option("--ca-file", default="", metavar="FILE", help="a certificate authority beside the system's")


def _init(arguments: argparse.Namespace) -> int:
    from .starting.folder import start_folder

    names, notes = start_folder(arguments.directory, arguments.model)
    say(*(f"wrote {arguments.directory / name}" for name in names))
    say(*notes, to=sys.stderr)
    say(f"next: scoring-module check --scoring-dir {arguments.directory}")
    return 0


def _models(arguments: argparse.Namespace) -> int:
    import msgspec

    from .models.azureml import open_models

    models = open_models(arguments.store, arguments.workspace)
    damaged: list[str] = []
    if arguments.verb == "download":
        say(models.download(arguments.model, arguments.to))
        return 0
    if arguments.verb == "register":
        found = [models.register(arguments.name, arguments.path, _tags(arguments.tag), arguments.description)]
    else:
        found = (
            models.registered(arguments.name, damaged) if arguments.verb == "list" else [models.show(arguments.model)]
        )
        say(*(f"scoring-module: {sentence}" for sentence in damaged), to=sys.stderr)
    if arguments.json:
        shown = found if arguments.verb == "list" else found[0]
        print(msgspec.json.format(msgspec.json.encode(shown)).decode())
        return 0
    if not (found or damaged):
        say("no model is registered here: scoring-module models register", to=sys.stderr)
    for model in found:
        tags = " ".join(f"{name}={value}" for name, value in model.tags.items())
        about = "  ".join(part for part in (tags, model.description) if part)
        say(f"{model}  sha256:{model.sha256[:12]}  {model.size:,} bytes  {model.created}  {about}".rstrip())
    return 0


def _build(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    from .registry import reference
    from .registry.oci import Layout

    refuse_empty(arguments, "base", "model")
    name = reference.parse(arguments.image)
    if name.digest:
        raise SettingsError(f"--image {arguments.image} names a digest: give a tag, the build makes the digest")
    layout, access = Layout(arguments.layout), _access(arguments, name.host)
    model, path = _model(arguments, layout.folder)
    base = arguments.base or os.environ.get("SCORING_BASE_IMAGE") or ""
    ahead = [_look_ahead(name, access, base)] if arguments.push else []
    from .image import image

    said = vars(arguments) | {"name": name, "model": model, "model_path": path, "base": base}
    said["tags"] = _tags(arguments.tag)
    options = image.BuildOptions(**{field: said[field] for field in image.BuildOptions._fields})
    built = image.build(layout, options, access)
    idle = [each for each in arguments.allow if not any(f"{file}/".startswith(f"{each}/") for file in built.files)]
    for note in (*built.notes, *(f"--allow {each} allows nothing: no packed file has this name" for each in idle)):
        say(*note.splitlines(), to=sys.stderr)
    for file, size in built.files.items() if arguments.list else ():
        say(f"{size:>13,} bytes  {file}")
    largest = ", ".join(f"{file} ({size:,})" for file, size in [*built.files.items()][:3])
    say(f"packed {len(built.files)} files, {sum(built.files.values()):,} bytes; the largest: {largest}")
    for layer in built.layers:
        say(f"{layer.blob.size / 1e6:9.3f} MB  {layer.purpose}")
    for what, document in zip(("SBOM", "provenance"), built.documents, strict=True):
        say(f"{what} {layout.path(document.digest)}")
    say(f"built {name}@{built.manifest.digest} in {time.monotonic() - started:.2f} s")
    return _pushed(layout, name, access, *ahead) if arguments.push else 0


def _look_ahead(name: Any, access: Any, base: str) -> Callable[[], Any]:
    """Begin to ask the registry, beside the build; gives what waits for the answer."""
    from concurrent.futures import ThreadPoolExecutor

    from .registry.push import look

    return ThreadPoolExecutor(1).submit(look, name, access, base).result


def _push(arguments: argparse.Namespace) -> int:
    from .registry import reference
    from .registry.oci import Layout

    name = reference.parse(arguments.image)
    return _pushed(Layout(arguments.layout), name, _access(arguments, name.host))


def _pushed(layout: Any, name: Any, access: Any, *ahead: Callable[[], Any]) -> int:
    started = time.monotonic()
    from .registry.push import push

    pushed = push(layout, name, access, *ahead)
    mounted = f", {pushed.mounted:,} bytes mounted" if pushed.mounted else ""
    if pushed.note:
        say(pushed.note, to=sys.stderr)
    say(f"pushed {name}@{pushed.digest}: {pushed.sent:,} bytes sent{mounted} in {time.monotonic() - started:.2f} s")
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    import msgspec

    from .image.inspection import inspect, lines
    from .registry.oci import Layout

    access = partial(_access, arguments)
    found = inspect(Layout(arguments.layout), arguments.image, access, ask_registry=arguments.registry)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(found._asdict())).decode())
    else:
        say(*lines(found))
    if missing := [what for what, there in (("SBOM", found.sbom), ("provenance", found.provenance)) if not there]:
        raise PackagingError(f"{arguments.image} has no {' and no '.join(missing)} attached to it")
    return 0


def _model(arguments: argparse.Namespace, cache: Path) -> tuple[Any, Path | None]:
    """Give the registered model that is asked for and where it is, a workspace's downloaded first."""
    from .models.azureml import open_models
    from .models.folder import FolderModels
    from .models.model import hash_of
    from .models.trees import hash_tree

    if not arguments.model:
        if arguments.store or arguments.workspace:
            raise SettingsError("--store and --workspace say where --model NAME is: give it too, or leave them out")
        return None, None
    models = open_models(arguments.store, arguments.workspace)
    model = models.show(arguments.model)
    if isinstance(models, FolderModels):
        return model, models.path(model)
    place = cache / "models" / model.name / str(model.version)
    if model.sha256 and hash_of(hash_tree(place / model.entry)) == model.sha256:
        return model, place / model.entry
    shutil.rmtree(place, ignore_errors=True)
    return model, models.download(str(model), place)


def _access(arguments: argparse.Namespace, host: str) -> Any:
    from .registry.credentials import Access, Credentials

    given = Credentials()
    if arguments.username or arguments.password_stdin:
        if not (arguments.username and arguments.password_stdin):
            raise SettingsError("--username and --password-stdin go together: a password is never an argument")
        given = Credentials(arguments.username, sys.stdin.readline().rstrip("\r\n"), source="--username")
    if arguments.ca_file and not Path(arguments.ca_file).is_file():
        raise SettingsError(f"there is no --ca-file {arguments.ca_file}")
    return Access(given, host, arguments.ca_file)


def _tags(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise SettingsError(f"--tag {text} is not NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)
