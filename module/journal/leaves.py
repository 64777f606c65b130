"""Finds messages in the pages of a damaged file when nothing leads to them any more; one page at a time is in memory.

Source: sqlite.org/fileformat.html, sections 1.6 and 2.1. Only a record whose checksum holds is taken: a page that was
freed may give back a message that is done, never one that is altered.

SQLite has carried the log into the file by then, up to its first frame that is torn; torn_log.py searches the rest.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from .records import RecordError, unpack

PAGE = 4096
"""Bytes of a page: SQLite's own default."""

_LEAF = b"\x0d"
_MOST_LOCAL, _LEAST_LOCAL = PAGE - 35, (PAGE - 12) * 32 // 255 - 23
_BLOB = 12
_MOST = 4 << 20
_COLUMNS = 4
_RECENT = {b"\3\0\x0c": 3, b"\3\0\x2c": 19}
"""How the rows of messages that are done begin, and their sizes: a fingerprint has 0 or 16 bytes."""

Row = tuple[int, int, bytes, bytes]
Pages = Callable[[int], bytes]
"""Gives a page by its number, which begins with 1; an empty one beyond the end."""


def messages(path: Path) -> Iterator[Row]:
    """Give the rows of messages that lie in the pages of a file, in no order."""
    with path.open("rb") as file:
        count = os.fstat(file.fileno()).st_size // PAGE

        def page(number: int) -> bytes:
            return os.pread(file.fileno(), PAGE, (number - 1) * PAGE) if 1 < number <= count else b""

        for number in range(2, count + 1):
            yield from rows(page(number), page)


def rows(data: bytes, page: Pages, is_wanted: Callable[[int], bool] = lambda seq: True) -> Iterator[Row]:
    """Give what holds of the messages of one page, those whose seq is wanted."""
    for at in _cells(data):
        try:
            row = _row(data, at, page, is_wanted)
            unpack(row[0], row[2])
        except (IndexError, ValueError, RecordError):
            continue
        yield row


def finished(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the seqs of messages that are done, each with its fingerprint, if one page has such rows."""
    for cell in _cells(data):
        with suppress(IndexError, ValueError):
            size, at = _number(data, cell)
            seq, at = _number(data, at)
            if _RECENT.get(data[at : at + 3]) == size:
                yield seq, data[at + 3 : at + size]


def _cells(data: bytes) -> Iterator[int]:
    """Give where the rows of one page begin."""
    for pointer in range(8, 8 + 2 * int.from_bytes(data[3:5]), 2) if data[:1] == _LEAF else ():
        yield int.from_bytes(data[pointer : pointer + 2])


def _row(data: bytes, at: int, page: Pages, is_wanted: Callable[[int], bool]) -> Row:
    size, at = _number(data, at)
    if size > _MOST:
        raise ValueError("no message is so large")
    seq, at = _number(data, at)
    if not is_wanted(seq):
        raise ValueError("nobody wants it")
    body = _content(data, at, size, page)
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


def _content(data: bytes, at: int, size: int, page: Pages) -> bytes:
    """Give the content of a cell, with what lies in overflow pages."""
    if size <= _MOST_LOCAL:
        return data[at : at + size]
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    parts, there = [data[at : at + local]], local
    following = data[at + local : at + local + 4]
    while there < size:
        overflow = page(int.from_bytes(following))
        if not overflow:
            raise ValueError("its pages are gone")
        parts.append(overflow[4:])
        there += PAGE - 4
        following = overflow[:4]
    return b"".join(parts)[:size]


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for length in range(1, 9):
        byte = data[at + length - 1]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + length
    raise ValueError("no number of ours")
