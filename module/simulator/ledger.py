"""Who was answered: matches outputs to the messages that were routed to the module. Pure: no clock, no asyncio.

An output's message id is ``{input id}.{output}.{n}``, its correlation id the input's, else the input's message id.
Devices reuse ids: an output id that comes again answers the next message of its input id. Devices send no id at all:
such messages are answered in the order in which they were sent. Nothing answers a message before it was delivered.
"""

from array import array
from collections import Counter, deque
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Entry:
    """One message that was routed to one input.

    Attributes:
        delivered_at: when it was first sent to the module, in seconds; None before.
        number: its place in the order of first deliveries, from 1.
        answered: whether an output belongs to it.
    """

    delivered_at: float | None = None
    number: int = 0
    answered: bool = False


class Ledger:
    """All entries and what became of them.

    Attributes:
        expected: number of entries.
        answered: … that an output belongs to.
        nothing: … of them, those that the module told to have answered with NOTHING.
        by_order: … of them, those that no id of their own tells apart, so that only the order says who was answered.
        out_of_order: … of them, those answered after a message that was delivered later.
        duplicates: outputs whose message id was seen before, and that no message is left for.
        foreign: outputs that belong to no message of this ledger.
        delivered_count: number of entries that were sent to the module.
        by_output: outputs by name.
        latencies: seconds from first delivery to first output, in the order of the answers.
        first_at, last_at: first delivery and last answer, in seconds; None before.
    """

    def __init__(self) -> None:
        self.expected = self.answered = self.nothing = self.by_order = self.out_of_order = self.duplicates = 0
        self.foreign = self.delivered_count = 0
        self.by_output: Counter[str] = Counter()
        self.latencies = array("d")
        self.first_at: float | None = None
        self.last_at: float | None = None
        self._newest = 0
        self._by_id: dict[str, list[Entry]] = {}
        self._by_correlation: dict[str, deque[Entry]] = {}
        self._nameless: deque[Entry] = deque()
        self._at: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._alone: set[str] = set()
        self._bases: dict[str, bool] = {}

    def expect(self, message_id: str, correlation_id: str) -> Entry:
        """Take a message that is routed to the module; both ids may be empty."""
        self.expected += 1
        entry = Entry()
        if message_id:
            self._by_id.setdefault(message_id, []).append(entry)
        if correlation_id:
            self._by_correlation.setdefault(correlation_id, deque()).append(entry)
        if not message_id and not correlation_id:
            self._nameless.append(entry)
        return entry

    def delivered(self, entry: Entry, now: float) -> None:
        """Note that a message was sent to the module; only the first time counts."""
        if entry.delivered_at is None:
            entry.delivered_at = now
            self.delivered_count += 1
            entry.number = self.delivered_count
            if self.first_at is None:
                self.first_at = now

    def output(self, name: str, message_id: str, correlation_id: str, now: float) -> None:
        """Take an output of the module; both ids may be empty."""
        self.by_output[name] += 1
        self.duplicates += not self._take(name, message_id, correlation_id, now)

    def answered_with_nothing(self, name: str, message_id: str, correlation_id: str, now: float) -> None:
        """Take what tells on output ``name`` that the module answered a message with NOTHING."""
        before = self.answered
        self._take(name, message_id, correlation_id, now, alone=True)
        self.nothing += self.answered - before

    @property
    def missing(self) -> int:
        """How many messages nothing came of."""
        return self.expected - self.answered

    @property
    def under_way(self) -> int:
        """How many messages were sent to the module and nothing came of."""
        return self.delivered_count - self.answered

    def _take(self, name: str, message_id: str, correlation_id: str, now: float, *, alone: bool = False) -> bool:
        """Answer the message that an output belongs to; say no if it is one more of what was seen before.

        With ``alone`` the message has no other output.
        """
        base = _base(name, message_id)
        for own in (base, message_id):
            if own in self._by_id:
                return self._answer_by_id(own, message_id, now, alone=alone)
        if message_id and message_id in self._seen:
            return False
        if message_id:
            self._seen[message_id] = 0
        if not self._answer_by_correlation(correlation_id, now):
            self.foreign += not self._answer_nameless(base or message_id, now)
        return True

    def _answer_by_id(self, own: str, message_id: str, now: float, *, alone: bool) -> bool:
        """Answer the message of this id that is at turn: the same output again is the next one's."""
        entries, turn = self._by_id[own], self._at.get(own, -1)
        if alone or own in self._alone or self._seen.get(message_id, -1) == turn:
            turn += 1
            if turn == len(entries) or entries[turn].delivered_at is None:
                return False
        self._at[own] = self._seen[message_id] = turn
        (self._alone.add if alone else self._alone.discard)(own)
        self._answer(entries[turn], now, by_order=len(entries) > 1)
        return True

    def _answer(self, entry: Entry, now: float, *, by_order: bool) -> None:
        if not entry.answered and entry.delivered_at is not None:
            entry.answered = True
            self.answered += 1
            self.by_order += by_order
            self.out_of_order += entry.number < self._newest
            self._newest = max(self._newest, entry.number)
            self.last_at = now
            self.latencies.append(now - entry.delivered_at)

    def _answer_by_correlation(self, correlation_id: str, now: float) -> bool:
        """Answer the oldest message with this correlation id (or message id); say whether there was ever one."""
        named = self._by_correlation.get(correlation_id)
        while named and named[0].answered:
            named.popleft()
        entries = self._by_id.get(correlation_id) if named is None else named
        waiting = (entry for entry in entries or () if entry.delivered_at is not None and not entry.answered)
        if entries and (first := next(waiting, None)) is not None:
            self._answer(first, now, by_order=named is not None or len(entries) > 1)
        return entries is not None

    def _answer_nameless(self, base: str, now: float) -> bool:
        """Answer the oldest message without ids, unless it is one more output of the message ``base`` stands for.

        Says whether the output belongs to a message at all.
        """
        if base in self._bases:
            return self._bases[base]
        belongs = bool(self._nameless) and self._nameless[0].delivered_at is not None
        if belongs:
            self._answer(self._nameless.popleft(), now, by_order=True)
        if base:
            self._bases[base] = belongs
        return belongs


def _base(name: str, message_id: str) -> str:
    """Give the input id in an output's message id; empty if it has not the form ``{input id}.{output}.{n}``."""
    base, _, number = message_id.rpartition(".")
    return base.removesuffix(f".{name}") if number.isdigit() and base.endswith(f".{name}") else ""
