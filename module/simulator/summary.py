"""The counts at the end: as JSON for programs, as a few lines for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from ..errors import SettingsError


@dataclass(frozen=True, slots=True)
class Summary:
    """What a simulation came to; the names are the keys of ``--summary``.

    Attributes:
        sent: messages that the hub took.
        upstream: messages that reached $upstream.
        by_output: messages by output of the module.
        nothing: messages that the script answered with NOTHING.
        lost: routed to the module, and neither an output nor NOTHING answers them.
        duplicates: outputs whose message id was seen before.
        seconds: from the first delivery to the last output.
        messages_per_second: answered messages in that time.
        latency_ms: first delivery → first output: p50 and p99; None without any.
        mean_batch: requests in a batch on average, from ``/metrics``; else None.
        restarts: how often COMMAND was started again.
        refused: messages over 262,144 bytes, not sent.
        unrouted: messages that no route led to the module.
    """

    sent: int
    upstream: int
    by_output: dict[str, int]
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

    def write(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            SettingsError: the file cannot be written.
        """
        try:
            path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise SettingsError(f"cannot write {path}: {error.strerror}") from error

    def text(self) -> str:
        """Give it for people."""
        outputs = ", ".join(f"{name} {count:,}" for name, count in sorted(self.by_output.items())) or "none"
        lines = [
            f"sent        {self.sent:,}" + _if(self.refused, "refused as too large") + _if(self.unrouted, "unrouted"),
            f"outputs     {outputs}" + _if(self.nothing, "answered with NOTHING"),
            f"upstream    {self.upstream:,}",
            f"lost        {self.lost:,}" + _if(self.duplicates, "duplicates") + _if(self.restarts, "restarts"),
            f"throughput  {self.messages_per_second:,.0f} messages/s over {self.seconds:.1f} s",
        ]
        if self.latency_ms["p50"] is not None:
            lines.append(f"latency     p50 {self.latency_ms['p50']:.1f} ms, p99 {self.latency_ms['p99']:.1f} ms")
        if self.mean_batch is not None:
            lines.append(f"mean batch  {self.mean_batch:.1f}")
        return "\n".join(lines)


def latency_ms(seconds: Sequence[float]) -> dict[str, float | None]:
    """Give p50 and p99 in milliseconds (nearest rank), None for each without any value."""
    ordered = sorted(seconds)
    if not ordered:
        return {"p50": None, "p99": None}
    return {f"p{share}": round(ordered[-(-len(ordered) * share // 100) - 1] * 1e3, 3) for share in (50, 99)}


def _if(count: int, what: str) -> str:
    return f", {count:,} {what}" if count else ""
