"""JPEG and PNG files → what a decoder needs of them and no more, and how the camera was held.

What else a file may hold (EXIF, XMP, colour profiles, further pictures) costs Pillow memory and time beyond any bound
by the picture's size, so that a small body could stop a device: it is left out before Pillow sees the file.
"""

import re
import struct

_MOST_PIECES, _MOST_SCANS = 2000, 64
"""Segments of a JPEG before its pixels at most; scans, each over all pixels: cameras write 1, tools 18."""

_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
_DECODING = frozenset((0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE, *range(0xC0, 0xD0)))
"""Markers of tables, frames, and of the APP0 and APP14 that say what the colours are."""

_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_SOS, _EXIF = 0xDA, b"Exif\0\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_LEAST_CHUNK = 256
"""Bytes of a PNG's chunk in the mean at least, beyond the first ``_MOST_PIECES`` of them."""


def reduced(data: bytes) -> tuple[bytes, int]:
    """Give a picture's file without what decoding does not need, and the orientation that EXIF has of it, 1 to 8.

    A file of another kind stays as it is.

    Raises:
        ValueError: it is damaged, or of so many pieces or scans that decoding would take minutes.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    return _png(data) if data.startswith(_PNG) else (data, 1)


def _jpeg(data: bytes) -> tuple[bytes, int]:
    kept, exif, at = [data[:2]], b"", 2
    for _ in range(_MOST_PIECES):
        found = _MARKER.match(data, at)
        if found is None:
            raise ValueError(f"there is no marker at byte {at}")
        start, kind = found.end(), found[1][0]
        if kind == _SOS:
            return b"".join([*kept, _scans(data, start - 2)]), orientation(exif)
        at = start if kind in _ALONE else start + int.from_bytes(data[start : start + 2])
        if at > len(data):
            return b"".join([*kept, data[start - 2 :]]), 1  # Pillow says what is wrong with it
        if at < start + 2 and kind not in _ALONE:
            raise ValueError(f"the segment at byte {start} has a length below 2")
        if kind in _DECODING:
            kept.append(data[start - 2 : at])
        elif kind == 0xE1 and not exif and data.startswith(_EXIF, start + 2):
            exif = data[start + 2 + len(_EXIF) : at]
    raise ValueError(f"it has more than {_MOST_PIECES} segments before its pixels")


def _scans(data: bytes, start: int) -> bytes:
    """Give the scans up to the end of the picture; a marker never occurs in their pixels (ITU-T T.81, F.1.2.3)."""
    end = data.find(b"\xff\xd9", start)
    scans = data[start : end + 2 if end >= 0 else len(data)]
    if (count := scans.count(b"\xff\xda")) > _MOST_SCANS:
        raise ValueError(f"it has {count} scans, of {_MOST_SCANS} at most: save it with fewer, or as a baseline JPEG")
    return scans


def _png(data: bytes) -> tuple[bytes, int]:
    kept, exif, at, count = [_PNG], b"", len(_PNG), 0
    while at < len(data):
        if (count := count + 1) > _MOST_PIECES + len(data) // _LEAST_CHUNK:
            raise ValueError(f"it has more than {count - 1} chunks in {len(data)} bytes")
        end = at + 12 + int.from_bytes(data[at : at + 4])
        kind = data[at + 4 : at + 8]
        if kind in _CHUNKS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = data[at + 8 : end - 4]
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept), orientation(exif.removeprefix(_EXIF))


def orientation(exif: bytes) -> int:
    """Give the orientation that EXIF has, 1 to 8; 1, as the sensor saw it, where it is damaged or says nothing."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2], "<")
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if (tag, kind) == (0x0112, 3):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
