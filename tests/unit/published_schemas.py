"""The JSON Schemas that json.schemastore.org publishes for deployments and their templates."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

_ROOT = Path(__file__).parents[2]
_FILES = [*_ROOT.glob("tests/schemas/*.json"), *_ROOT.glob("module/packaging/manifest/schemas/*.json")]
_SCHEMAS = {path.name: json.loads(path.read_text()) for path in _FILES}


def violations(name: str, document: object) -> list[str]:
    """Check against one, whose references to its neighbours are looked up in the same folder."""
    known: Registry[Any] = Registry().with_resources(
        (each["id"], DRAFT4.create_resource(each)) for each in _SCHEMAS.values()
    )
    return [error.message for error in Draft4Validator(_SCHEMAS[name], registry=known).iter_errors(document)]
