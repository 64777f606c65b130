"""The note: a small mapped file that says what this process is doing, for the one that starts after its death.

It names the messages inside the current run() and counts what was accepted and finished. Written with plain stores into
mapped memory: that costs next to nothing and survives a killed process.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

_RUN = struct.Struct("<4sI")  # magic, how many messages are inside run()
_ACCEPTED = struct.Struct("<QQ")  # the last accepted seq, how many messages waited at the start or were accepted since
_FINISHED = struct.Struct("<Q")  # how many of them are finished
_SEQ = struct.Struct("<Q")
_MAGIC = b"run1"
_ACCEPTED_AT = _RUN.size
_FINISHED_AT = _ACCEPTED_AT + _ACCEPTED.size
_SEQS_AT = _FINISHED_AT + _FINISHED.size
_PLAUSIBLE = 1 << 40

MOST = 1024
"""Messages inside one run() that the note can name."""


class Note:
    """The note of one journal directory; each number has one thread that writes it.

    Attributes:
        left: messages that were inside run() when the last process ended.
        last_seq: the last one that it accepted, 0 if unknown.
        waited: how many it had accepted and not finished, at least.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the note; an OSError if it cannot be written."""
        size = _SEQS_AT + MOST * _SEQ.size
        with path.open("a+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a store into a hole of a full disk would kill the process
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        self.left, self.last_seq, self.waited = self._read()
        self._count = self._finished = 0

    def _read(self) -> tuple[list[int], int, int]:
        magic, count = _RUN.unpack_from(self._map, 0)
        last_seq, accepted = _ACCEPTED.unpack_from(self._map, _ACCEPTED_AT)
        (finished,) = _FINISHED.unpack_from(self._map, _FINISHED_AT)
        if magic != _MAGIC or count > MOST or max(last_seq, accepted) > _PLAUSIBLE:
            return [], 0, 0
        seqs = [seq for (seq,) in _SEQ.iter_unpack(self._map[_SEQS_AT : _SEQS_AT + count * _SEQ.size])]
        return seqs, last_seq, max(0, accepted - finished)

    def begin(self, last_seq: int, waiting: int) -> None:
        """Start a life of its own, with so many messages left from the last one."""
        self._count = waiting
        _FINISHED.pack_into(self._map, _FINISHED_AT, 0)
        _ACCEPTED.pack_into(self._map, _ACCEPTED_AT, last_seq, waiting)
        self.running(())

    def running(self, seqs: Sequence[int]) -> None:
        """Name the messages that run() is about to get; none when it has returned."""
        if self._map.closed:
            return
        named = seqs[:MOST]
        # The count last: a process that dies half-way leaves none.
        _RUN.pack_into(self._map, 0, _MAGIC, 0)
        struct.pack_into(f"<{len(named)}Q", self._map, _SEQS_AT, *named)
        _RUN.pack_into(self._map, 0, _MAGIC, len(named))

    def accepted(self, seq: int, count: int) -> None:
        """Count accepted messages, the last one by its seq; after their commit: a death in between invents no loss."""
        self._count += count
        _ACCEPTED.pack_into(self._map, _ACCEPTED_AT, seq, self._count)

    def finished(self, count: int) -> None:
        """Count finished messages; before their commit, for the same reason."""
        self._finished += count
        _FINISHED.pack_into(self._map, _FINISHED_AT, self._finished)

    def close(self) -> None:
        """Name no message any more and let go of the file: what is inside run() now is no suspect."""
        self.running(())
        self._map.close()
