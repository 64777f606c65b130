"""Is this message one that the hub has sent before? Known only where it is certain enough to drop it.

The hub sends a message again when it has not seen its ack: after a reconnect, a restart, an ack time-out.
edgeHub's own message id is not on the wire, so a redelivery is known by what its sender gave it: id, input, sender and
content all equal to one of the last messages accepted. Devices reuse ids, and two routes may bring one message to two
inputs: neither is enough alone. A message without an id is never taken for a redelivery.
"""

import sqlite3
from collections import deque
from hashlib import blake2b

import msgspec

from ..messages import InputMessage

REMEMBERED = 256
"""Accepted messages that are remembered."""

_encode = msgspec.msgpack.Encoder().encode


class Redeliveries:
    """The fingerprints of the last messages accepted; they survive the process in the journal's file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take the connection that appends."""
        self._execute = connection.execute
        rows = self._execute("SELECT fingerprint FROM recent ORDER BY seq")
        self._remembered: deque[bytes] = deque((row[0] for row in rows), REMEMBERED)
        self._seen_again: set[bytes] = set()

    def begin(self) -> None:
        """Hear that a connection begins: on it each remembered message may come once more."""
        self._seen_again.clear()

    def is_one(self, mark: bytes) -> bool:
        """Say whether a message is a redelivery; true once for each remembered message on each connection."""
        if not mark or mark not in self._remembered or mark in self._seen_again:
            return False
        self._seen_again.add(mark)
        return True

    def write(self, seq: int, mark: bytes) -> None:
        """Write a fingerprint, inside the transaction that appends its message."""
        self._execute("INSERT OR REPLACE INTO recent VALUES (?, ?, ?)", (seq % REMEMBERED, seq, mark))

    def remember(self, mark: bytes) -> None:
        """Remember the fingerprint of a message once it is durable."""
        self._remembered.append(mark)


def fingerprint(message: InputMessage) -> bytes:
    """Give what tells a message from all others, empty if it has no id of its own: then it is never a redelivery."""
    identity = message.system.get("message_id")
    if not identity:
        return b""
    sender = (message.system.get("device_id"), message.system.get("module_id"))
    content = _encode((message.input, sender, identity, message.body, message.system, message.properties))
    return blake2b(content, digest_size=16).digest()
