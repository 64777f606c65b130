"""What an image was made from: an in-toto statement with SLSA's provenance, version 1; the same build, the same bytes.

It has what somebody says of a build without changing it (tags, a description, the base image's name), so that none of
that is part of the image's digest: a device restarts for another digest.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from ... import __version__
from ..environment.lock import Lock
from ..models.trees import hash_file
from .base import Base
from .contents import APP, Contents

MEDIA_TYPE = "application/vnd.in-toto+json"
_STATEMENT, _PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
_BUILD = "urn:iotedge-scoring-module:build:1"
_BUILDER = "pkg:pypi/iotedge-scoring-module"


def state(name: str, digest: str, asked: Mapping[str, Any], *, base: Base, lock: Lock, contents: Contents) -> bytes:
    """Give the statement.

    Args:
        name: of the image, without its tag.
        digest: of its manifest.
        asked: what the build was told: external parameters.
        base: the image that it stands on.
        lock: of its packages.
        contents: what it carries of its user.
    """
    definition = {
        "buildType": _BUILD,
        "externalParameters": {key: value for key, value in asked.items() if value},
        "resolvedDependencies": [
            {"name": "base image", **({"uri": f"pkg:docker/{base.name}"} if base.remote else {}), **_sha(base.digest)},
            {"name": lock.file.name, **_sha(lock.digest)},
            *_files(contents),
        ],
    }
    document = {
        "_type": _STATEMENT,
        "subject": [{"name": name, **_sha(digest)}],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": definition,
            "runDetails": {"builder": {"id": _BUILDER, "version": {"iotedge-scoring-module": __version__}}},
        },
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _files(contents: Contents) -> Iterator[dict[str, Any]]:
    if model := contents.registered:
        said = {"version": str(model.version)} if model.version else {}
        said |= {**model.tags, **({"description": model.description} if model.description else {})}
        yield {"name": f"model {model.name}", **_sha(model.sha256), **({"annotations": said} if said else {})}
    for path, source, _, _ in sorted(contents.script, key=lambda entry: entry.path):
        if isinstance(source, Path):
            yield {"name": path.removeprefix(f"{APP}/"), **_sha(hash_file(source))}


def _sha(digest: str) -> dict[str, Any]:
    return {"digest": {"sha256": digest.removeprefix("sha256:")}}
