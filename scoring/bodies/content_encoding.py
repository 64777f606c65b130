"""What a body's content encoding says, undone: compressions and character sets, until plain bytes or UTF-8 are left.

edgeHub's content encodings are character sets (``utf-8``, ``utf-16``, ``utf-32``), HTTP's are compressions; a list such
as ``utf-8, gzip`` may hold both.
"""

from ..errors import RequestError
from .compression import CODINGS, decompress
from .json_body import BOM

PLAIN = frozenset(("", "utf-8", "UTF-8", "utf8"))
"""Content encodings that leave nothing to do."""

_UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_CHARSETS = {name.replace("-", ""): name for name in (*_UNICODE, "iso-8859-1", "windows-1252")}
_CHARSETS |= {"usascii": "utf-8", "ascii": "utf-8", "latin1": "iso-8859-1"}
_NOTHING = {"", "identity", "binary", "7bit", "8bit"}
_MAX_CODINGS = 4


def plain(data: bytes, content_encoding: str, charset: str | None) -> bytes:
    """Give the bytes without compression, and text as UTF-8 without a byte order mark.

    Args:
        data: the body as it came.
        content_encoding: names separated by commas, applied by the sender from left to right.
        charset: the content type's, used if the content encoding names none; None where the bytes are no text.

    Raises:
        RequestError: a name is not known, or the bytes are not what it says.
    """
    data, charsets = decompressed(data, content_encoding)
    codec = _codec((charsets or [charset or "utf-8"])[0])
    if charset is None:
        return data
    if codec == "utf-8":
        return data.removeprefix(BOM)
    try:
        return data.decode(codec).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not {codec.upper()}: {error.reason} at byte {error.start}") from None


def decompressed(data: bytes, content_encoding: str) -> tuple[bytes, list[str]]:
    """Give the bytes without compression, and the names that are none: character sets.

    Raises:
        RequestError: there are too many names, or the bytes are not what one says.
    """
    names = [name.strip().lower() for name in content_encoding.split(",", _MAX_CODINGS)]
    if len(names) > _MAX_CODINGS:
        raise RequestError(f"the content encoding names more than {_MAX_CODINGS} codings: send fewer")
    charsets = [name for name in names if name not in CODINGS and name not in _NOTHING]
    for name in charsets:
        _codec(name)
    for name in reversed(names):
        if name in CODINGS:
            data = decompress(data, CODINGS[name])
    return data, charsets


def _codec(charset: str) -> str:
    codec = _CHARSETS.get(charset.strip(" \"'").lower().replace("-", "").replace("_", ""))
    if codec is None:
        known = "utf-8, utf-16, utf-32, gzip, deflate or zstd"
        raise RequestError(f"the content encoding {charset[:40]!r} is not known: send the body as {known}")
    return codec
