"""Who was answered: matches outputs to the messages that were routed to the module. Pure: no clock, no asyncio.

An output's message id is ``{input id}.{output}.{n}``, its correlation id the input's, else the input's message id.
Devices reuse ids: the n-th output of one id answers the n-th message of its input id. Devices send no id at all: such
messages are answered in the order in which they were sent.
"""

from array import array
from collections import Counter, deque


class Entry:
    """One message that was routed to one input.

    Attributes:
        delivered_at: when it was first sent to the module, in seconds; None before.
        answered: whether an output belongs to it.
    """

    __slots__ = ("answered", "delivered_at")

    def __init__(self) -> None:
        self.delivered_at: float | None = None
        self.answered = False


class Ledger:
    """All entries and what became of them.

    Attributes:
        expected: number of entries.
        answered: … that an output belongs to.
        duplicates: outputs whose message id was seen before, and that no message is left for.
        by_output: outputs by name.
        latencies: seconds from first delivery to first output, in the order of the answers.
        first_at, last_at: first delivery and last answer, in seconds; None before.
    """

    def __init__(self) -> None:
        self.expected = self.answered = self.duplicates = 0
        self.by_output: Counter[str] = Counter()
        self.latencies = array("d")
        self.first_at: float | None = None
        self.last_at: float | None = None
        self._by_id: dict[str, list[Entry]] = {}
        self._by_correlation: dict[str, deque[Entry]] = {}
        self._nameless: deque[Entry] = deque()
        self._seen: Counter[str] = Counter()
        self._bases: set[str] = set()

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
            if self.first_at is None:
                self.first_at = now

    def output(self, name: str, message_id: str, correlation_id: str, now: float) -> None:
        """Take an output of the module; both ids may be empty."""
        self.by_output[name] += 1
        nth = self._seen[message_id] if message_id else 0
        if message_id:
            self._seen[message_id] += 1
        base = message_id.rsplit(".", 2)[0]
        entries = self._by_id.get(base) or self._by_id.get(message_id)
        if entries and nth < len(entries):
            self._answer(entries[nth], now)
        elif nth:
            self.duplicates += 1
        elif not entries and not self._answer_by_correlation(correlation_id, now):
            self._answer_nameless(base, now)

    def missing(self, nothing: int = 0) -> int:
        """Give how many messages nothing came of; ``nothing`` more were answered with no message on purpose."""
        return max(0, self.expected - self.answered - nothing)

    def _answer(self, entry: Entry, now: float) -> None:
        if not entry.answered:
            entry.answered = True
            self.answered += 1
            self.last_at = now
            if entry.delivered_at is not None:
                self.latencies.append(now - entry.delivered_at)

    def _answer_by_correlation(self, correlation_id: str, now: float) -> bool:
        """Answer the oldest message with this correlation id (or message id); say whether there was ever one."""
        entries = self._by_correlation.get(correlation_id)
        if entries is None:
            same_id = self._by_id.get(correlation_id)
            if same_id is not None:
                self._answer(next((entry for entry in same_id if not entry.answered), same_id[-1]), now)
            return same_id is not None
        while entries and entries[0].answered:
            entries.popleft()
        if entries:
            self._answer(entries.popleft(), now)
        return True

    def _answer_nameless(self, base: str, now: float) -> None:
        """Answer the oldest message without ids, unless it is one more output of the message ``base`` stands for."""
        if base and base in self._bases:
            return
        if base:
            self._bases.add(base)
        if self._nameless:
            self._answer(self._nameless.popleft(), now)
