"""The forms that a body may have, and which one it has: by its content type, else by SCORING_BODY.

To add a form, add it to FORMS: SCORING_BODY, content types and scripts that take text follow.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from itertools import chain
from typing import Annotated, Literal, NamedTuple

import msgspec

from ..errors import RequestError
from ..options import Options, current
from .csv_rows import csv_rows
from .json_body import json_lines, json_value, text_of, text_or_json


class ContentType(NamedTuple):
    """A content type that was read.

    Attributes:
        name: without parameters, in small letters.
        form: of the body.
        parameters: such as ``charset``, in small letters.
    """

    name: str
    form: "Form"
    parameters: Mapping[str, str]


class Form(NamedTuple):
    """One form.

    Attributes:
        decode: bytes and their content type → value; text is in UTF-8. Raises RequestError.
        content_types: those that say it.
        suffix: with which other content types end that say it.
        prefixes: with which other content types begin that say it.
        is_text: whether it has a character set.
        title: what it is called, if it is no text but holds what JSON holds: a script that takes text gets that JSON.
        openings: the bytes with which an array or an object may begin.
    """

    decode: Callable[[bytes, ContentType], object]
    content_types: tuple[str, ...]
    suffix: str | None = None
    prefixes: tuple[str, ...] = ()
    is_text: bool = True
    title: str = ""
    openings: bytes = b"[{"


class Rows(list[object]):
    """A decoded body whose form says that each entry is a request of its own, whatever the entries are."""


def _csv(data: bytes, kind: ContentType) -> Rows:
    delimiter = "\t" if kind.name == "text/tab-separated-values" else ""
    return Rows(csv_rows(text_of(data), header=kind.parameters.get("header") != "absent", delimiter=delimiter))


def _msgpack(data: bytes, kind: ContentType) -> object:
    try:
        return msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = f" (byte {len(data)})" if "truncated" in str(error) else ""
        raise RequestError(f"the body is not MessagePack: {error}{where}") from None


_JSON_LINES = ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "jsonlines", "json-lines", "json-seq")

FORMS: dict[str, Form] = {
    "json": Form(lambda data, kind: json_value(data), ("application/json", "text/json"), "+json"),
    "jsonl": Form(
        lambda data, kind: Rows(json_lines(data)), tuple(f"application/{subtype}" for subtype in _JSON_LINES)
    ),
    "csv": Form(_csv, ("text/csv", "application/csv", "text/tab-separated-values")),
    "msgpack": Form(
        _msgpack,
        ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"),
        "+msgpack",
        is_text=False,
        title="MessagePack",
        openings=bytes(range(0x80, 0xA0)),  # an empty array is one byte, compressed next to nothing
    ),
    "text": Form(lambda data, kind: text_or_json(data), ("text/plain",)),
    "bytes": Form(
        lambda data, kind: data, ("application/octet-stream",), prefixes=("image/", "audio/", "video/"), is_text=False
    ),
}
"""Name → form. SCORING_BODY may name each for bodies whose content type says nothing; its default is json."""


class BodyOptions(Options, frozen=True, kw_only=True):
    """All that scoring may be told: the form of bodies too."""

    body: Annotated[
        Literal["auto", *FORMS],  # type: ignore[valid-type]
        msgspec.Meta(description="form of a body whose content type says nothing; `auto`: JSON"),
    ] = "auto"


@lru_cache(maxsize=64)
def read_content_type(text: str) -> ContentType:
    """Read a content type; one that says nothing of the form stands for SCORING_BODY's.

    Raises:
        OptionsError: SCORING_BODY is none of FORMS.
    """
    name, *rest = (part.strip() for part in text.lower().split(";", 4))
    pairs = (part.partition("=") for part in rest)
    parameters = {key.strip(): value.strip(' "') for key, _, value in pairs}
    forms = FORMS.values()
    named = (form for form in forms if name in form.content_types)
    alike = (form for form in forms if name.startswith(form.prefixes) or (form.suffix and name.endswith(form.suffix)))
    return ContentType(name, next(chain(named, alike), None) or FORMS[default_form()], parameters)


@cache
def default_form() -> str:
    """Give the form of bodies whose content type says nothing, from SCORING_BODY; read once.

    Raises:
        OptionsError: SCORING_BODY is none of FORMS.
    """
    form: str = current(BodyOptions).body
    return "json" if form == "auto" else form
