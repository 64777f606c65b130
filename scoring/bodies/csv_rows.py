"""CSV → rows: an object per line by the header's names; numbers become numbers."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from ..errors import RequestError
from .json_body import MAX_ROWS

_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(\.\d*)?([eE][-+]?\d+)?", re.ASCII)
_WORDS: dict[str, object] = {"": None, **dict.fromkeys(("true", "True", "TRUE"), True)}
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {"nan": math.nan, "NaN": math.nan, "inf": math.inf, "-inf": -math.inf}
_MAX_DIGITS = 300
_TROUBLES = {
    "unexpected end of data": "begins a row with a quote that is not closed",
    "field larger": f"begins a row with a field of over {csv.field_size_limit()} characters: is a quote not closed?",
    "new-line character": "has a carriage return without a line feed: end each line with a line feed",
}
"""How a sentence of Python's csv begins → what there is."""


def csv_rows(text: str, *, header: bool = True, delimiter: str = "") -> list[object]:
    """Give the rows of a CSV text; see read_csv().

    Raises:
        RequestError: it is not CSV, has no row or too many, or a line has other fields than the header.
    """
    rows = list(islice(read_csv(io.StringIO(text, newline=""), header=header, delimiter=delimiter), MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise RequestError(f"the CSV has more than {MAX_ROWS} rows: send them in several messages")
    if not rows:
        raise RequestError("the CSV has no rows: expected a header at line 1 and a row at line 2")
    return rows


def read_csv(text: Iterable[str], *, header: bool = True, delimiter: str = "") -> Iterator[object]:
    """Give the rows of CSV (RFC 4180), line by line: objects by the header's names, without a header arrays.

    Without a delimiter it is the first of comma, semicolon and tab that the first line has. An empty field is None;
    ``true``, ``True``, ``TRUE``, ``nan``, ``inf`` and their like are what they say; a number with leading zeros stays
    text.

    Raises:
        RequestError: it is not CSV, or a line has other fields than the header; the sentence names the line.
    """
    first = next(iterator := iter(text), "")
    delimiter = delimiter or next((d for d in ",;\t" if d in first), ",")
    lines = csv.reader(chain((first,), iterator), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    line = after = 1
    try:
        for fields in lines:
            line, after = after, lines.line_num + 1
            if not fields:
                continue
            if names is None:
                names = _names(fields) if header else [""] * len(fields)
                if header:
                    continue
            if len(fields) != len(names):
                raise RequestError(f"line {line} of the CSV has {len(fields)} fields: expected {len(names)}")
            values = [_value(field) for field in fields]
            yield dict(zip(names, values, strict=True)) if header else values
    except csv.Error as error:
        reason = next((told for text, told in _TROUBLES.items() if text in str(error)), f"cannot be read: {error}")
        raise RequestError(f"line {after} of the CSV {reason}") from None


def _names(fields: list[str]) -> list[str]:
    names = [field.strip() for field in fields]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"line 1 of the CSV has the column {twice[:40]!r} twice: name each column once")
    return names


def _value(field: str) -> object:
    text = field.strip()
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return field
    if number[1] is None and number[2] is None and len(text) <= _MAX_DIGITS:
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else field
