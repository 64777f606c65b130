"""Which message killed the process? Suspects run alone, and only one that was alone at its deaths is condemned.

A random kill must never condemn a good message. A native crash leaves a stack dump (Python's faulthandler writes it
from the signal), and so does a run() that hangs: then two deaths alone condemn. A death without a dump may be a kill
from outside, or the kernel's for lack of memory: that takes MOST_UNEXPLAINED deaths of one message, alone each time.
"""

import faulthandler
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

DEATHS = 2
MOST_UNEXPLAINED = 5

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
        if stacks:
            _log.error("the last process crashed inside run():\n%s", stacks[:4000])
        with connection:
            connection.executemany("INSERT OR IGNORE INTO suspects VALUES (?, 0)", [(seq,) for seq in left])
            if len(left) == 1:
                worth = MOST_UNEXPLAINED if stacks else DEATHS
                connection.execute("UPDATE suspects SET deaths = deaths + ? WHERE seq = ?", (worth, left[0]))
        rows = connection.execute("SELECT s.seq, s.deaths FROM suspects s JOIN messages m ON m.seq = s.seq")
        self._deaths: dict[int, int] = dict(rows)
        self._file = dump.open("w")
        faulthandler.enable(self._file)

    def verdict(self, seq: int) -> tuple[bool, str]:
        """Say whether a message has to run alone, and why it must not run at all (empty: it may)."""
        deaths = self._deaths.get(seq)
        if deaths is None:
            return False, ""
        if deaths >= DEATHS * MOST_UNEXPLAINED:
            return True, "the process died more than once while run() had only this message"
        return True, ""

    def explain(self, why: str) -> None:
        """Leave word of why the process is about to end, as a crash would."""
        self._file.write(why)
        self._file.flush()

    def cleared(self, seqs: Iterable[int]) -> None:
        """Forget finished messages, inside the transaction that finishes them."""
        for seq in seqs:
            if self._deaths.pop(seq, None) is not None:
                self._connection.execute("DELETE FROM suspects WHERE seq = ?", (seq,))
