"""The ``.env`` file of iotedgedev's conventions: values of placeholders and credentials of registries."""

import io
from pathlib import Path

from dotenv.parser import parse_stream

from ..errors import SettingsError


def read_env(path: Path) -> dict[str, str]:
    """Read a ``.env`` file as iotedgedev does: a ``NAME=value`` a line, in quotes or not; ``#`` begins a comment.

    Raises:
        SettingsError: it is not there, cannot be read, or a line has another form; no value is ever named.
    """
    try:
        found = list(parse_stream(io.StringIO(path.read_text("utf-8-sig"))))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} is not there: write the placeholders' values into it or choose --env") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {getattr(error, 'strerror', 'it is not UTF-8 text')}") from error
    for each in found:
        if each.error or (each.key and each.value is None):
            text = each.original.string
            line = each.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise SettingsError(f"{path} line {line} is not NAME=value")
    return {each.key: each.value for each in found if each.key and each.value is not None}
