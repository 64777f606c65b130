"""The published JSON Schema of IoT Edge deployments (json.schemastore.org), which a manifest must satisfy."""

from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft4Validator

from ...errors import SettingsError

_FILE = Path(__file__).parent / "schemas" / "azure-iot-edge-deployment-2.0.json"
_SAYS_NO_VALUE = {"required", "additionalProperties"}


def check(path: Path, document: dict[str, Any]) -> None:
    """Check a deployment that is not layered; ``path`` is what the sentence calls it.

    Raises:
        SettingsError: it does not satisfy the schema; the sentence names the place, never a value.
    """
    errors = Draft4Validator(orjson.loads(_FILE.read_bytes())).iter_errors(document)
    first = min(errors, key=lambda error: len(error.absolute_path), default=None)
    if first is None:
        return
    place = ".".join(map(str, first.absolute_path)) or "the top"
    rule = f"breaks the rule {first.validator} {orjson.dumps(first.validator_value).decode()[:200]}"
    reason = first.message if first.validator in _SAYS_NO_VALUE else rule
    raise SettingsError(f"{path} is no valid IoT Edge deployment: at {place}: {reason}")
