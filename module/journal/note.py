"""The note: a small mapped file that names the messages inside the current run() and how many wait.

Written with plain stores into mapped memory: that costs next to nothing and survives a killed process. After a start it
says what the last process was doing when it died.
"""

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

_HEAD = struct.Struct("<4sIQ")  # magic, how many messages are inside run(), last accepted seq
_SEQ = struct.Struct("<Q")
_MAGIC = b"note"

MOST = 1024
"""Messages inside one run() that the note can name."""


class Note:
    """The note of one journal directory."""

    def __init__(self, path: Path) -> None:
        """Open or create the note; ``left`` holds what the last process left behind."""
        size = _HEAD.size + MOST * _SEQ.size
        with path.open("a+b") as file:
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        self.left, self.last_seq = self._read()
        self.running(())

    def _read(self) -> tuple[list[int], int]:
        magic, count, last_seq = _HEAD.unpack_from(self._map, 0)
        if magic != _MAGIC or count > MOST:
            return [], 0
        return [seq for (seq,) in _SEQ.iter_unpack(self._map[_HEAD.size : _HEAD.size + count * _SEQ.size])], last_seq

    def running(self, seqs: Sequence[int]) -> None:
        """Name the messages that run() is about to get; none when it has returned."""
        named = seqs[:MOST]
        # The count last: a process that dies half-way leaves the old count or none.
        _HEAD.pack_into(self._map, 0, _MAGIC, 0, self.last_seq)
        struct.pack_into(f"<{len(named)}Q", self._map, _HEAD.size, *named)
        _HEAD.pack_into(self._map, 0, _MAGIC, len(named), self.last_seq)

    def accepted(self, seq: int) -> None:
        """Remember the last accepted message."""
        self.last_seq = seq
        struct.pack_into("<Q", self._map, 8, seq)

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()
