"""Which form a body has: by its content type, else by SCORING_BODY."""

import os
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from ..errors import RequestError

FORMS = ("json", "jsonl", "csv", "msgpack", "text", "bytes")
"""What SCORING_BODY may say of bodies whose content type says nothing; ``auto``, the default, stands for json."""

BINARY = frozenset(("msgpack", "bytes"))
"""Forms that have no character set."""

_FORMS = {
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/jsonlines": "jsonl",
    "application/json-lines": "jsonl",
    "application/json-seq": "jsonl",
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/msgpack": "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
    "text/plain": "text",
    "application/octet-stream": "bytes",
}
_SUFFIXES = {"+json": "json", "+msgpack": "msgpack"}
_BYTES = ("image/", "audio/", "video/")


class ContentType(NamedTuple):
    """A content type that was read.

    Attributes:
        name: without parameters, in small letters.
        form: one of FORMS.
        parameters: such as ``charset``, in small letters.
    """

    name: str
    form: str
    parameters: Mapping[str, str]


@lru_cache(maxsize=64)
def read_content_type(text: str) -> ContentType:
    """Read a content type; one that says nothing of the form stands for SCORING_BODY's.

    Raises:
        RequestError: SCORING_BODY is none of FORMS.
    """
    name, *rest = (part.strip() for part in text.lower().split(";", 4))
    pairs = (part.partition("=") for part in rest)
    parameters = {key.strip(): value.strip(' "') for key, _, value in pairs}
    form = _FORMS.get(name) or next((form for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), None)
    return ContentType(name, form or ("bytes" if name.startswith(_BYTES) else default_form()), parameters)


@cache
def default_form() -> str:
    """Give the form of bodies whose content type says nothing, from SCORING_BODY; read once.

    Raises:
        RequestError: SCORING_BODY is none of FORMS.
    """
    form = os.environ.get("SCORING_BODY") or "auto"
    if form not in ("auto", *FORMS):
        raise RequestError(f"SCORING_BODY is {form!r}: set it to auto, {', '.join(FORMS)}")
    return "json" if form == "auto" else form
