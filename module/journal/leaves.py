"""Finds messages in the pages of a damaged file when nothing leads to them any more.

Source: sqlite.org/fileformat.html, sections 1.6 and 2.1. Only a record whose checksum holds is taken: a page that was
freed may give back a message that is done, never one that is altered.
"""

from collections.abc import Iterator
from pathlib import Path

from .records import RecordError, unpack

_PAGE = 4096
_LEAF = 0x0D
_MOST_LOCAL, _LEAST_LOCAL = _PAGE - 35, (_PAGE - 12) * 32 // 255 - 23
_BLOB = 12
_MOST = 4 << 20
_COLUMNS = 4

Row = tuple[int, int, bytes, bytes]


def messages(path: Path) -> Iterator[Row]:
    """Give the rows of messages that lie in the pages of a file, in no order."""
    data = path.read_bytes()
    for start in range(_PAGE, len(data) - _PAGE + 1, _PAGE):
        if data[start] != _LEAF:
            continue
        for at in range(int.from_bytes(data[start + 3 : start + 5])):
            pointer = start + 8 + 2 * at
            try:
                row = _row(data, start + int.from_bytes(data[pointer : pointer + 2]))
                unpack(row[0], row[2])
            except (IndexError, ValueError, RecordError):
                continue
            yield row


def _row(data: bytes, at: int) -> Row:
    size, at = _number(data, at)
    if size > _MOST:
        raise ValueError("no message is so large")
    seq, at = _number(data, at)
    body = _content(data, at, size)
    end, at = _number(body, 0)
    kinds = []
    while at < end:
        kind, at = _number(body, at)
        kinds.append(kind)
    if len(kinds) != _COLUMNS or kinds[0] or min(kinds[2:]) < _BLOB:
        raise ValueError("no message")
    begin = end + (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kinds[1]]
    middle = begin + (kinds[2] - _BLOB) // 2
    record = body[begin:middle]
    return seq, len(record), record, body[middle : middle + (kinds[3] - _BLOB) // 2]


def _content(data: bytes, at: int, size: int) -> bytes:
    """Give the content of a cell, with what lies in overflow pages."""
    if size <= _MOST_LOCAL:
        return data[at : at + size]
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (_PAGE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    parts, there = [data[at : at + local]], local
    at += local
    while there < size:
        page = (int.from_bytes(data[at : at + 4]) - 1) * _PAGE
        if page <= 0 or page + _PAGE > len(data):
            raise ValueError("its pages are gone")
        parts.append(data[page + 4 : page + _PAGE])
        there += _PAGE - 4
        at = page
    return b"".join(parts)[:size]


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for length in range(1, 9):
        byte = data[at + length - 1]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + length
    raise ValueError("no number of ours")
