"""JSON as the editors take it in which templates are written: with comments, and commas after the last of a list."""

import json
import re
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from ...errors import SettingsError

_TEXT = r'("(?:[^"\\]|\\.)*")'
_COMMENT = re.compile(rf"{_TEXT}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_TEXT}|,(?=\s*[\]}}])")
_BRACKET = re.compile(rf"{_TEXT}|[\[\]{{}}]")
_DEEPEST = 100


def read(path: Path) -> Any:
    """Read a JSON document; line and column in a sentence are the file's.

    Raises:
        SettingsError: it cannot be read, is not JSON, is nested too deep, or a name stands twice in one object.
    """

    def object_of(pairs: list[tuple[str, Any]]) -> None:
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        if twice:
            raise SettingsError(f"{path} has {twice[0]} twice in one object: leave one of them out")

    try:
        text = _COMMENT.sub(lambda each: each[1] or re.sub(r"\S", " ", each[0]), path.read_text("utf-8-sig"))
        found = orjson.loads(text := _LAST_COMMA.sub(lambda each: each[1] or " ", text))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text: save it as such") from error
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from error
    marks = (each[0] for each in _BRACKET.finditer(text))
    if max(accumulate((mark in "[{") - (mark in "]}") for mark in marks), default=0) > _DEEPEST:
        raise SettingsError(f"{path} is nested deeper than {_DEEPEST} levels")
    json.loads(text, object_pairs_hook=object_of)
    return found
