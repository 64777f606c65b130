"""The software bill of materials of an image, CycloneDX 1.5 as JSON; the same packages and model give the same bytes.

score.py is not in it but in the provenance: a script that changes every hour changes one small document.
"""

import hashlib
import re
import uuid
from collections.abc import Sequence

import orjson

from ... import __version__
from .base import Base
from .contents import Contents
from .wheels import Package

MEDIA_TYPE = "application/vnd.cyclonedx+json"
_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def describe(name: str, base: Base, packages: Sequence[Package], contents: Contents, architecture: str) -> bytes:
    """Give the document: the base image, its system packages, Python packages, the runtime, the model."""
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
