"""gzip, deflate and zstd undone, with a limit that holds while it is undone: a small body may stand for gigabytes."""

import sys
import zlib
from collections.abc import Callable
from typing import Any

from ..errors import RequestError
from ..options import Options, current

CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}
"""Content encodings that are compressions, by the names that senders use."""

_MAX_WINDOW_LOG = 24  # a zstd frame may ask for a window of gigabytes before its first byte


def decompress(data: bytes, coding: str) -> bytes:
    """Undo one compression, a value of CODINGS; several members or frames after each other are joined.

    Raises:
        RequestError: it is not compressed so, is cut off, or becomes larger than SCORING_MAX_BODY_MB.
    """
    make, failure = _zstd() if coding == "zstd" else (_zlib(data, coding), zlib.error)
    limit = int(current(Options).max_body_mb * 2**20)
    parts: list[bytes] = []
    room, rest = limit + 1, data
    while rest:
        member = make()
        try:
            part = member.decompress(rest, room)
        except failure as error:
            where = f"the part at byte {len(data) - len(rest)} of the body"
            raise RequestError(f"{where} is not {coding}: {str(error).splitlines()[0].rstrip('.')[:200]}") from None
        parts.append(part)
        room -= len(part)
        if room <= 0:
            large = f"more than {limit} bytes when it is decompressed"
            raise RequestError(f"the body has {large}: raise SCORING_MAX_BODY_MB")
        if not member.eof:
            raise RequestError(f"the {coding} body is cut off: it ends at byte {len(data)}")
        rest = member.unused_data
    if not parts:
        raise RequestError(f"the body is empty: expected {coding} at byte 0")
    return b"".join(parts)


def _zlib(data: bytes, coding: str) -> Callable[[], Any]:
    # RFC 9110 says zlib's form for deflate; many senders leave its header away.
    has_header = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    bits = zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
    return lambda: zlib.decompressobj(bits)


def _zstd() -> tuple[Callable[[], Any], type[Exception]]:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only for those who send it
        else:
            from backports import zstd  # noqa: PLC0415
    except ImportError:
        raise RequestError("the body is zstd: install it with pip install 'iotedge-scoring-module[zstd]'") from None
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError
