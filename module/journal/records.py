"""A record: what the file has of a message, with a checksum that says whether it is still what was written.

SQLite has no checksums: a flipped bit in a page is handed out as it is. The checksum begins with the seq, so a record
that turns up under another number does not hold either. Records of the first schema have none, and are taken as they
are: they begin as MessagePack does, a record with a checksum begins with a byte that no MessagePack has.
"""

import struct
from zlib import crc32

import msgspec

from ..messages import InputMessage

_MARK = 0xC1
_HEAD = struct.Struct("<BI")
_head = _HEAD.pack
_SEQ = 0xFFFFFFFF
"""The bits of a seq that the checksum begins with."""

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InputMessage).decode


class RecordError(Exception):
    """A record is not what was written."""


def pack(seq: int, encoded: bytes) -> bytes:
    """Give the record of an encoded message."""
    return _head(_MARK, crc32(encoded, seq & _SEQ)) + encoded


def unpack(seq: int, record: object) -> InputMessage:
    """Give the message of a record.

    Raises:
        RecordError: it is damaged, in whatever way.
    """
    if not isinstance(record, bytes) or len(record) < _HEAD.size:
        raise RecordError("it is no record")
    encoded = record
    if record[0] == _MARK:
        encoded = record[_HEAD.size :]
        if _HEAD.unpack_from(record)[1] != crc32(encoded, seq & _SEQ):
            raise RecordError("its checksum does not hold")
    try:
        return _decode(encoded)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:  # a text may be no UTF-8: a ValueError
        raise RecordError(str(error)) from error


def readable(text: bytes) -> str:
    """Give a text of the file, whatever has become of it; SQLite's own way raises."""
    return text.decode(errors="replace")
