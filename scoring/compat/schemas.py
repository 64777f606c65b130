"""What inference_schema, the real package or our stand-in, knows of a run()."""

import sys
from collections.abc import Callable, Mapping
from typing import Any


def has_schema(run: Callable[..., object]) -> bool:
    """Say whether run() is decorated with @input_schema or @output_schema."""
    util = _util()
    try:
        return util is not None and bool(util.is_schema_decorated(run))
    except ValueError:  # the real one looks into closures, and one may still be empty
        return False


def schema_sample(run: Callable[..., object]) -> Mapping[str, object] | None:
    """Give the request that the decorators' samples make up: parameter name → JSON value; None without samples."""
    util = _util()
    schema = util.get_input_schema(run) if util is not None and has_schema(run) else {}
    example = schema.get("example")
    return example if isinstance(example, dict) else None


def _util() -> Any:
    return sys.modules.get("inference_schema.schema_util")
