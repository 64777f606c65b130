"""The crash record: a small mapped file that says what this process is doing, for the one that starts after its death.

It names the messages inside the current run() and counts what was accepted and finished. Written with plain stores into
mapped memory: that costs next to nothing and survives a killed process. Each part says itself whether it still holds: a
flipped bit, or a death in the middle of a store, makes it say nothing instead of something wrong.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from .place import allocate

_RUN = struct.Struct("<4sII")  # magic, how many messages are inside run(), the checksum of their seqs
_ACCEPTED = struct.Struct("<QQQ")  # the last accepted seq, how many waited at the start or were accepted since, _both
_FINISHED = struct.Struct("<QQ")  # how many of them are finished, and the complement
_SEQ = struct.Struct("<Q")
_MAGIC = b"run2"
_ACCEPTED_AT = 16
_FINISHED_AT = _ACCEPTED_AT + _ACCEPTED.size
_SEQS_AT = _FINISHED_AT + _FINISHED.size
_ALL = (1 << 64) - 1

PLAUSIBLE = 1 << 40
"""No journal ever gives a seq so high."""

MOST = 1024
"""Messages inside one run() that it can name."""


class CrashRecord:
    """The crash record of one journal directory; each number has one thread that writes it.

    Attributes:
        left: messages that were inside run() when the last process ended.
        last_seq: the last one that it accepted, 0 if unknown.
        waited: how many it had accepted and not finished, at least.
    """

    def __init__(self, path: Path) -> None:
        """Open the file or create it; an OSError if it cannot be written."""
        size = _SEQS_AT + MOST * _SEQ.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            allocate(descriptor, size)
            os.ftruncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self.left = self._read_run()
        self.last_seq, self.waited = self._read_counts()
        self._count = self._finished = 0

    def _read_run(self) -> list[int]:
        magic, count, checksum = _RUN.unpack_from(self._map, 0)
        named = self._map[_SEQS_AT : _SEQS_AT + min(count, MOST) * _SEQ.size]
        if magic != _MAGIC or checksum != crc32(named, count):
            return []
        return [seq for (seq,) in _SEQ.iter_unpack(named)]

    def _read_counts(self) -> tuple[int, int]:
        last_seq, accepted, both = _ACCEPTED.unpack_from(self._map, _ACCEPTED_AT)
        finished, complement = _FINISHED.unpack_from(self._map, _FINISHED_AT)
        holds = both == _both(last_seq, accepted) and finished ^ complement == _ALL
        if not holds or max(last_seq, accepted) > PLAUSIBLE:
            return 0, 0
        return last_seq, max(0, accepted - finished)

    def begin(self, last_seq: int, waiting: int) -> None:
        """Start a life of its own, with so many messages left from the last one."""
        self.finished(0)
        self.accepted(last_seq, waiting)
        self.running(())

    def running(self, seqs: Sequence[int]) -> None:
        """Name the messages that run() is about to get; none when it has returned."""
        if self._map.closed:
            return
        named = struct.pack(f"<{min(len(seqs), MOST)}Q", *seqs[:MOST])
        count = len(named) // _SEQ.size
        # The count last: a process that dies half-way leaves none.
        _RUN.pack_into(self._map, 0, _MAGIC, 0, 0)
        self._map[_SEQS_AT : _SEQS_AT + len(named)] = named
        _RUN.pack_into(self._map, 0, _MAGIC, count, crc32(named, count))

    def accepted(self, seq: int, count: int) -> None:
        """Count accepted messages, the last one by its seq; after their commit: a death in between invents no loss."""
        self._count += count
        _ACCEPTED.pack_into(self._map, _ACCEPTED_AT, seq, self._count, _both(seq, self._count))

    def finished(self, count: int) -> None:
        """Count finished messages; before their commit, for the same reason."""
        self._finished += count
        _FINISHED.pack_into(self._map, _FINISHED_AT, self._finished, self._finished ^ _ALL)

    def close(self) -> None:
        """Name no message any more and let go of the file: what is inside run() now is no suspect."""
        self.running(())
        self._map.close()


def _both(seq: int, count: int) -> int:
    """Give what a seq and a count have to go with."""
    return (seq << 20) ^ count ^ _ALL
