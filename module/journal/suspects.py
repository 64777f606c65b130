"""Which message killed the process? Suspects run alone, and only one that was alone at its deaths is condemned.

A random kill must never condemn a good message. A native crash leaves a stack dump (Python's faulthandler writes it
from the signal), and so does a run() that hangs: then two deaths alone condemn. A death without a dump may be a kill
from outside, or the kernel's for lack of memory: that takes five deaths of one message, alone each time.
"""

import faulthandler
import logging
import signal
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

EXPLAINED = 5
UNEXPLAINED = 2
CONDEMNED = 10
"""What a death with a stack dump and one without it weigh, and what a condemned message has gathered."""

CRASH = "crash.txt"
"""Where a process leaves its stacks, in the journal's directory."""

HUNG = "run() hangs:\n"
"""What comes before its stacks if a run() that hangs was ended: a signal from somebody else may leave stacks too."""

_NATIVE = "Fatal Python error"
"""What faulthandler says of a native crash."""

STOPPED = "this process was to stop and did not in time: nobody is to blame\n"
"""What comes before its stacks if a process had to be ended because it outlasted a stop."""

_IS_THERE = "SELECT 1 FROM messages WHERE seq = ?"

_log = logging.getLogger(__name__)


class Suspects:
    """The messages that were inside run() when a process died."""

    def __init__(self, connection: sqlite3.Connection, left: list[int], dump: Path) -> None:
        """Judge what the last process left behind.

        Args:
            connection: to the journal; used by the thread that finishes messages.
            left: messages that were inside run() when it died; none after a clean end.
            dump: where a crash leaves its stacks; read here, then watched for the next one.
        """
        self._connection = connection
        stacks = dump.read_text(errors="replace") if dump.exists() else ""
        first = "\n\n".join(sorted(stacks.split("\n\n"), key=lambda stack: "scoring_thread.py" not in stack))[:4000]
        if stacks.startswith(STOPPED):
            _log.warning("the last process had to be ended, it was here:\n%s", first)
            left = []
        elif stacks:
            _log.error("the last process crashed inside run():\n%s", first)
        query = "SELECT seq, deaths FROM suspects WHERE seq IN (SELECT seq FROM messages)"
        before = dict(connection.execute(query))
        present = [seq for seq in left if connection.execute(_IS_THERE, (seq,)).fetchone()]
        after = {seq: _deaths(seq, found) for seq, found in before.items()} | {
            seq: _deaths(seq, before.get(seq)) for seq in present
        }
        if len(left) == 1 and present:
            after[left[0]] += EXPLAINED if HUNG in stacks or _NATIVE in stacks else UNEXPLAINED
        if before or after:
            with connection:
                connection.execute("BEGIN")
                connection.execute("DELETE FROM suspects")
                rows = [(seq, sealed(seq, deaths)) for seq, deaths in after.items()]
                connection.executemany("INSERT INTO suspects VALUES (?, ?)", rows)
        self._deaths = after
        dump.write_bytes(b"")
        self._file = dump.open("a")
        faulthandler.enable(self._file)
        faulthandler.register(signal.SIGHUP, self._file, chain=True)  # watcher.py says what for

    def verdict(self, seq: int) -> tuple[bool, str]:
        """Say whether a message has to run alone, and why it must not run at all (empty: it may)."""
        deaths = self._deaths.get(seq)
        if deaths is None:
            return False, ""
        why = "the process died more than once while run() had only this message"
        return True, why if deaths >= CONDEMNED else ""

    def explain(self, why: str) -> None:
        """Leave word of why the process is about to end, as a crash would."""
        self._file.write(HUNG + why)
        self._file.flush()

    def delete(self, seqs: Iterable[int]) -> None:
        """Delete finished messages from the file, inside the transaction that finishes them."""
        cleared = [(seq,) for seq in seqs if seq in self._deaths]
        self._connection.executemany("DELETE FROM suspects WHERE seq = ?", cleared)

    def forget(self, seqs: Iterable[int]) -> None:
        """Forget finished messages once that is committed."""
        for seq in seqs:
            self._deaths.pop(seq, None)

    def close(self) -> None:
        """Stop waiting for a crash."""
        faulthandler.disable()
        faulthandler.unregister(signal.SIGHUP)
        self._file.close()


def sealed(seq: int, deaths: int) -> int:
    """Give what the file keeps of a suspect's deaths: one wrong bit must not condemn a good message."""
    return crc32(b"%d %d" % (seq, deaths)) << 16 | deaths


def _deaths(seq: int, found: object) -> int:
    """Give a suspect's deaths; none if the number is not what was written."""
    deaths = found & 0xFFFF if isinstance(found, int) else 0
    return deaths if found == sealed(seq, deaths) else 0
