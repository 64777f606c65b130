"""Is this message one that the hub has sent before? Known only where it is certain enough to drop it.

The hub sends a message again on a new connection when it has not seen its ack on the last one. So only what was
accepted before this connection began can come again: two equal messages on one connection are two. (What was held past
the ack time-out can come again on the same connection: the tap knows those itself.)

What comes again comes in the order of its first time, and once: edgeHub has one un-acked message, other brokers a few.
So nothing that was accepted before the last redelivery of this connection can be one. What stays undecided is a message
that equals an older one in everything, its id included, and is the first of its kind after a reconnect.

edgeHub's own message id is not on the wire, so a redelivery is known by what its sender gave it: id, input, sender and
content all equal to one of the last messages accepted. Devices reuse ids, and two routes may bring one message to two
inputs: neither is enough alone. A message without an id is never taken for a redelivery.

A fingerprint lies beside its message in the file, and moves to a table of its own when the message is deleted.
"""

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b

from ..messages import InputMessage

REMEMBERED = 256
"""Accepted messages that are remembered."""

_LAST = """
SELECT seq, fingerprint FROM (SELECT seq, fingerprint FROM recent UNION ALL SELECT seq, fingerprint FROM messages)
ORDER BY seq DESC LIMIT ?
"""
_KEEP = "INSERT OR REPLACE INTO recent SELECT seq, fingerprint FROM messages WHERE seq BETWEEN ? AND ?"


class Redeliveries:
    """The fingerprints of the last messages accepted; they survive the process in the journal's file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read them from the file."""
        rows = connection.execute(_LAST, (REMEMBERED,)).fetchall()
        self._last = self._before = rows[0][0] if rows else 0
        self._seqs: dict[bytes, int] = {mark: seq for seq, mark in reversed(rows) if mark}
        self._again = 0  # the last one that came again on this connection

    def begin(self) -> None:
        """Hear that a connection begins: on it each message remembered by now may come once more."""
        self._before = self._last
        self._again = 0

    def among(self, marks: Iterable[bytes]) -> list[int]:
        """Give for each message, in order, the seq that it had if it is a redelivery, else 0."""
        seqs, after = [], max(self._again, self._last - REMEMBERED)
        for mark in marks:
            seq = self._seqs.get(mark, 0)
            if after < seq <= self._before:
                after = seq
                seqs.append(seq)
            else:
                seqs.append(0)
        return seqs

    def dropped(self, seqs: list[int]) -> None:
        """Hear which redeliveries were dropped: each comes once on each connection, and none before it after it."""
        self._again = max(self._again, *seqs, 0)

    def remember(self, seq: int, mark: bytes) -> None:
        """Remember the fingerprint of a message once it is durable."""
        self._last = seq
        if mark:
            self._seqs[mark] = seq
        if len(self._seqs) > 2 * REMEMBERED:
            self._seqs = {mark: at for mark, at in self._seqs.items() if at > seq - REMEMBERED}


def keep(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Keep the fingerprints of messages, inside the transaction that deletes them."""
    connection.execute(_KEEP, (max(first, last - REMEMBERED + 1), last))
    connection.execute("DELETE FROM recent WHERE seq <= ?", (last - REMEMBERED,))


def fingerprint(message: InputMessage, encoded: bytes) -> bytes:
    """Give what tells a message from all others, empty if it has no id of its own: then it is never a redelivery."""
    return blake2b(encoded, digest_size=16).digest() if message.system.get("message_id") else b""
