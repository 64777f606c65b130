"""What scoring is told by ``SCORING_`` variables: each described, read and checked in one place.

The module makes its settings of these and its own, and installs them before it loads a script. Where nobody has
installed any, in a notebook say, the environment is read as it is when it is asked for.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from .errors import OptionsError

NAME = r"\A(?!\s)[^\x00-\x1f\x7f]*(?<!\s)\Z"
"""What the name of an output may be, or nothing: no control characters, no blanks at its ends."""

_SOME = r"[^\s,]"
_SHOWN = 200
"""Characters of a value that a sentence quotes."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What scoring may be told; ``SCORING_`` and the name in capitals is the environment variable.

    In ``journal_dir`` it keeps what models cost; where there is no such folder, as on a laptop, it keeps nothing. What
    depends on the forms of bodies that there are is added where they are (``bodies/forms.py``).
    """

    max_body_mb: Annotated[
        float, Meta(gt=0, le=1e6, description="a decompressed body at most, in MB; a picture, in megapixels")
    ] = 16.0
    merge: Annotated[
        Literal["off", "prove", "always"],
        Meta(description="messages of a script that takes one: in one run() where that is `prove`d harmless"),
    ] = "prove"
    providers: Annotated[
        str,
        Meta(
            pattern=_SOME,
            description="`auto`: the fastest, measured; or the first usable of a list, such as `CUDA,CPU`",
        ),
    ] = "auto"
    provider_policy: Annotated[
        Literal["degrade", "strict"],
        Meta(description="a provider that cannot be used: take the next and say so, or `strict`: exit 3"),
    ] = "degrade"
    provider_options: Annotated[
        dict[str, dict[str, object]], Meta(description="JSON, provider → ONNX Runtime's options of it")
    ] = msgspec.field(default_factory=dict)
    latency_target_ms: Annotated[
        float,
        Meta(
            ge=0, le=1e9, description="what a call of an OnnxModel may take: batches stay small enough for it; 0: any"
        ),
    ] = 0
    calibration_s: Annotated[
        float, Meta(ge=0, le=1e9, description="seconds for measuring a model at its first start; 0: measure nothing")
    ] = 5.0
    journal_dir: Annotated[Path, Meta(description="journal's directory; must outlive the container")] = Path(
        "/var/lib/scoring"
    )
    capture_dir: Annotated[str, Meta(description="what the script's data collectors collect; empty: nothing")] = ""


_WORDS = {
    ", got `str`": "",
    f"`str` matching regex {NAME!r}": "a name without control characters, and without blanks at its ends",
    f"`str` matching regex {_SOME!r}": "`auto` or a list such as `CUDA,CPU`",
    "`str` of length >= 1": "a name that is not empty",
    "`array` of length >= 1": "a JSON array with at least one name",
    "Input data was truncated": "it ends too early",
}
_TYPES = {"int": "a whole number", "float": "a number", "object": "a JSON object", "array": "a JSON array"}
_TYPES |= {"str": "a text", "bool": "true or false", "null": "null"}
_TYPE = re.compile("`({0}(?: \\| {0})*)`".format(f"(?:{'|'.join(_TYPES)})"))

T = TypeVar("T", bound=Options)
_installed: Options | None = None


def install(options: Options) -> None:
    """Make these the options of the process, whatever the environment says from now on."""
    global _installed  # noqa: PLW0603 - a script's OnnxModel() is made without a hand of ours between
    _installed = options


def current(kind: type[T]) -> T:
    """Give the options of the process: those installed, else what the environment says now.

    Raises:
        OptionsError: see read().
    """
    return _installed if isinstance(_installed, kind) else read(kind, os.environ)


def read(kind: type[T], environment: Mapping[str, str], synonyms: Mapping[str, str] | None = None) -> T:
    """Read options from environment variables; an empty one counts as not set.

    Args:
        kind: Options, or more than those.
        environment: where to read.
        synonyms: variable → another one that stands for it where it is not set.

    Raises:
        OptionsError: a value does not fit; the sentence names the variable.
    """
    values: dict[str, Any] = {}
    for field, hint in hints(kind).items():
        variable = f"SCORING_{field.upper()}"
        if text := environment.get(variable) or environment.get((synonyms or {}).get(variable, "")):
            values[field] = _value(variable, text, hint)
    return kind(**values)


@cache
def hints(kind: type[Options]) -> dict[str, Any]:
    """Give the type of each field, with its limits and its description."""
    return get_type_hints(kind, include_extras=True)


def _value(variable: str, text: str, hint: object) -> object:
    said = f"{variable} is {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise OptionsError(f"{said}: {_why_no_text(text)}")
    if not text.strip():
        raise OptionsError(f"{said}: blanks are no value, leave it empty or write one")
    plain = get_args(hint)[0]
    try:
        if get_origin(plain) is dict:
            return msgspec.json.decode(text, type=hint)
        return msgspec.convert(text, type=hint, strict=False, dec_hook=lambda kind, value: kind(value))
    except RecursionError as error:
        raise OptionsError(f"{said}: it is nested too deep") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise OptionsError(f"{said}: {misfit(error, hint, ('0', '1'))}") from error


def misfit(error: msgspec.MsgspecError, hint: object = None, booleans: Sequence[str] = ("true", "false")) -> str:
    """Say in plain words why a value does not fit.

    Args:
        error: what msgspec says.
        hint: the type of an option, whose choices are named then.
        booleans: how those are written.
    """
    plain = next(iter(get_args(hint)), None)
    choices = booleans if plain is bool else get_args(plain) if get_origin(plain) is Literal else ()
    reason = f"expected one of {', '.join(choices)}" if choices else str(error)
    if not isinstance(error, msgspec.ValidationError):
        reason = f"it is not JSON: {reason.removeprefix('JSON is malformed: ')}"
    for pattern, words in _WORDS.items():
        reason = reason.replace(pattern, words)
    reason = _TYPE.sub(lambda types: " or ".join(_TYPES[each] for each in types[1].split(" | ")), reason)
    reason = re.sub(r" - at `\$\[\.\.\.\][^`]*`", ", inside of it", reason)
    return re.sub(r"^[A-Z](?=[a-z])", lambda match: match[0].lower(), reason)


def _why_no_text(text: str) -> str:
    try:
        os.fsencode(text).decode()
    except UnicodeError:
        return "it holds bytes that are no UTF-8"
    return "this locale cannot read it: set LC_ALL=C.UTF-8"
