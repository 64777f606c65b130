"""What is said of an image beside it: its bill of materials (CycloneDX 1.5) and its provenance (in-toto, SLSA 1).

The same build gives the same bytes. score.py is in the provenance alone: a script that changes every hour changes one
small document. So is what somebody says of a build (tags, a description, the base image's name): of the image's digest
it is no part, since a device restarts for another digest.
"""

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from ... import __version__
from ..environment.lock import Lock
from ..registry import reference
from .base import Base
from .contents import APP, Contents
from .wheels import Package

SBOM, PROVENANCE = "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"
"""Media types."""

_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_STATEMENT, _PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
_BUILD = "urn:iotedge-scoring-module:build:1"
_BUILDER = "pkg:pypi/iotedge-scoring-module"


def bill_of_materials(
    name: str, base: Base, packages: Sequence[Package], contents: Contents, architecture: str
) -> bytes:
    """Give the SBOM: the base image, its system packages, Python packages, the runtime, the model."""
    base_name = base.name if base.remote else "a local base image"
    components = [
        {"type": "container", "name": base_name, "version": base.digest},
        *(
            _library(each, version, f"deb/debian/{each}@{version}?arch={architecture}")
            for each, version in sorted(base.info.system_packages.items())
        ),
        *(_python(each) for each in sorted(packages, key=lambda each: each.name.lower())),
        _python(Package("iotedge-scoring-module", __version__, "MIT")),
    ]
    if model := contents.registered:
        version = {"version": str(model.version)} if model.version else {}
        about = {"name": model.name, **version, "description": model.description}
        hashes = [{"alg": "SHA-256", "content": model.sha256}]
        components.append({"type": "machine-learning-model", **about, "hashes": hashes})
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "bom-ref": "image"}},
        "components": components,
    }
    seed = hashlib.sha256(orjson.dumps(document)).hexdigest()
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, seed)}"
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _python(package: Package) -> dict[str, object]:
    name = re.sub(r"[-_.]+", "-", package.name).lower()
    component = _library(package.name, package.version, f"pypi/{name}@{package.version}")
    if package.license:
        simple = _SPDX.fullmatch(package.license)
        said = {"expression": package.license} if simple else {"license": {"name": package.license}}
        component["licenses"] = [said]
    return component


def _library(name: str, version: str, url: str) -> dict[str, object]:
    return {"type": "library", "name": name, "version": version, "purl": f"pkg:{url}"}


def provenance(
    name: str, digest: str, asked: Mapping[str, Any], *, base: Base, lock: Lock, contents: Contents
) -> bytes:
    """Give the statement of what an image was made from.

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
            {"name": "base image", **({"uri": _url(base)} if base.remote else {}), **_sha(base.digest)},
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
    for entry in sorted(contents.script, key=lambda entry: entry.path):
        if isinstance(entry.source, Path):
            yield {"name": entry.path.removeprefix(f"{APP}/"), **_sha(entry.sha256)}


def _sha(digest: str) -> dict[str, Any]:
    return {"digest": {"sha256": digest.removeprefix("sha256:")}}


def _url(base: Base) -> str:
    """Give a package URL of an image in a registry."""
    host, repository, tag, _ = reference.parse(base.name)
    place = f"repository_url={host}/{repository}&tag={tag}"
    return f"pkg:oci/{repository.rpartition('/')[2]}@{quote(base.digest, safe='')}?{place}"
