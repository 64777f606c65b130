"""The counts at the end: as JSON for programs, as a few lines for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from ..written import written

_KILLED, _TERMINATED = 137, 143
"""Exit codes of a process that SIGKILL or SIGTERM ended."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a simulation came to; the names are the keys of ``--summary``.

    Attributes:
        sent: messages that the hub took and, where a route leads there, handed to a connection of the module.
        upstream: messages that reached $upstream.
        by_output: messages by output of the module.
        errors: messages that the module said it could not score, by the kind of their error.
        nothing: messages that the module said to have answered with NOTHING.
        lost: acked by the module, and neither an output nor NOTHING answers them while it is there and has the time.
        duplicates: outputs whose message id was seen before.
        seconds: from the first delivery to the last output.
        messages_per_second: answered messages in that time.
        latency_ms: first delivery → first output: p50 and p99; None without any.
        mean_batch: requests in a batch on average, from ``/metrics``; else None.
        restarts: how often COMMAND was started again.
        refused: messages over 262,144 bytes, not sent.
        unrouted: messages that no route led to the module.
        unsent: messages of the file that were not sent, as COMMAND ended or was stopped before.
        un_acked: messages sent to the module that it did not ack.
        dropped: outputs that the hub dropped: no route takes them, they are too large, or too many wait for the module.
        out_of_order: messages answered after one that was delivered later.
        by_order: messages that no id of their own tells apart: who of them was answered is taken from the order.
        crashes: restarts without a kill of ours.
        connects: how often COMMAND connected to the hub.
        stop_code: how COMMAND ended at the last SIGTERM (137: killed 10 s later); None: it ended by itself before.
        kills: how often it was killed; None without --kill-every.
        kills_under_way: … of them, while messages were sent to it and not answered.
        unanswered: messages acked and not answered when COMMAND ended, was stopped or was away for good.
        foreign: outputs that belong to no message of this run.
    """

    sent: int
    upstream: int
    by_output: dict[str, int]
    errors: dict[str, int]
    nothing: int
    lost: int
    duplicates: int
    seconds: float
    messages_per_second: float
    latency_ms: dict[str, float | None]
    mean_batch: float | None
    restarts: int
    refused: int
    unrouted: int
    unsent: int
    un_acked: int
    dropped: int
    out_of_order: int
    by_order: int
    crashes: int
    connects: int
    stop_code: int | None
    kills: int | None
    kills_under_way: int
    unanswered: int
    foreign: int

    @property
    def troubles(self) -> list[str]:
        """Sentences that say why the messages are not all accounted for; empty if they are."""
        empty = not (self.sent or self.unsent or self.refused)
        unrouted = self.sent == self.unrouted and (self.unrouted or not self.unsent) and not empty
        answers, errors = sum(self.by_output.values()) + self.nothing, sum(self.errors.values())
        nothing_shown = self.kills is not None and not self.kills_under_way
        found = [
            (not self.connects and not empty, "COMMAND did not connect to the hub"),
            (self.lost, f"{self.lost:,} messages are lost: neither an output nor NOTHING answers them"),
            (self.unsent, f"{self.unsent:,} messages were not sent: COMMAND ended, stood still or was stopped before"),
            (self.un_acked, f"{self.un_acked:,} messages were not acked: the hub would send them again"),
            (
                self.unanswered,
                f"{self.unanswered:,} messages were acked and not answered when COMMAND ended: they are in its "
                "journal, if it keeps one",
            ),
            (nothing_shown, "no kill met a message: nothing was shown"),
            (empty, "there is no message in the file"),
            (errors and answers == errors, f"no message was scored: all {errors:,} answers are errors"),
            (unrouted, "no message was routed to the module: look at the routes of the manifest and at the file"),
        ]
        return [sentence for applies, sentence in found if applies]

    @property
    def doubts(self) -> list[str]:
        """Sentences that say what could not be seen, or what hides behind a good count."""
        found = [
            (
                self.lost and not self.nothing,
                "what a module answers with nothing on purpose counts as lost, unless it says so on the output that "
                "SCORING_NOTHING_OUTPUT names",
            ),
            (
                self.by_order and (self.duplicates or self.restarts),
                f"{self.by_order:,} messages have no id of their own: a duplicate of one may have counted for another",
            ),
            (self.dropped, f"{self.dropped:,} outputs were dropped by the hub: no route takes them, or too large"),
            (
                self.foreign,
                f"{self.foreign:,} outputs belong to no message of this run: an earlier run's, from a journal that was "
                "there before, or COMMAND's own",
            ),
            (self.out_of_order, f"{self.out_of_order:,} messages were answered after one that was delivered later"),
            (self.stop_code == _KILLED, "COMMAND did not end within 10 s of SIGTERM and was killed, as on a device"),
            (self.stop_code not in (None, 0, _KILLED, _TERMINATED), f"COMMAND ended with {self.stop_code} at SIGTERM"),
        ]
        return [sentence for applies, sentence in found if applies]

    def write(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            SettingsError, UnwritableError: the file cannot be opened, or not written.
        """
        with written(path) as file:
            file.write(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def text(self) -> str:
        """Give it for people."""
        outputs = ", ".join(f"{name} {count:,}" for name, count in sorted(self.by_output.items())) or "none"
        errors = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.errors.items()))
        lines = [
            f"sent        {self.sent:,}" + _if(self.refused, "refused as too large") + _if(self.unrouted, "unrouted"),
            f"outputs     {outputs}" + _if(self.nothing, "answered with NOTHING"),
            *([f"errors      {errors}"] if errors else []),
            f"upstream    {self.upstream:,}",
            f"lost        {self.lost:,}"
            + _if(self.duplicates, "duplicates")
            + _if(self.unanswered, "unanswered")
            + _if(self.kills or 0, "kills")
            + _if(self.kills_under_way, "with messages under way")
            + _if(self.restarts, "restarts")
            + _if(self.crashes, "of them after a crash"),
            f"throughput  {self.messages_per_second:,.0f} messages/s over {self.seconds:.1f} s",
        ]
        if self.latency_ms["p50"] is not None:
            lines.append(f"latency     p50 {self.latency_ms['p50']:.1f} ms, p99 {self.latency_ms['p99']:.1f} ms")
        if self.mean_batch is not None:
            lines.append(f"mean batch  {self.mean_batch:.1f}")
        lines += [f"wrong       {sentence}" for sentence in self.troubles]
        lines += [f"note        {sentence}" for sentence in self.doubts]
        return "\n".join(lines)


def latency_ms(seconds: Sequence[float]) -> dict[str, float | None]:
    """Give p50 and p99 in milliseconds (nearest rank), None for each without any value."""
    ordered = sorted(seconds)
    if not ordered:
        return {"p50": None, "p99": None}
    return {f"p{share}": round(ordered[-(-len(ordered) * share // 100) - 1] * 1e3, 3) for share in (50, 99)}


def _if(count: int, what: str) -> str:
    return f", {count:,} {what}" if count else ""
