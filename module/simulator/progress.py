"""Shows how far a simulation is: a bar on a terminal, else a line every few seconds; on stderr."""

import sys
from dataclasses import dataclass
from time import monotonic
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_LINE_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """One look at a simulation; counts of messages, milliseconds, messages a second."""

    sent: int
    answered: int
    errors: int
    rate: float
    p50: float | None
    p99: float | None
    mean_batch: float | None

    def text(self) -> str:
        """Give all but the counts that the bar shows."""
        parts = [f"{self.rate:,.0f}/s"]
        if self.p50 is not None:
            parts.append(f"p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms")
        if self.mean_batch is not None:
            parts.append(f"mean batch {self.mean_batch:.1f}")
        return ", ".join([*parts, f"{self.errors:,} errors"])


class ProgressDisplay:
    """A bar or lines; use it with ``with``."""

    def __init__(self, total: int | None) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("", total=total)
        self._line_at = monotonic()

    def __enter__(self) -> Self:
        """Begin."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if not self._bar.disable:  # older versions of rich end what they never began with an empty line
            self._bar.stop()

    def show(self, state: State) -> None:
        """Show this state; without a terminal only every 5 s."""
        self._bar.update(self._task, completed=state.answered, description=state.text())
        if self._bar.disable and monotonic() - self._line_at >= _LINE_EVERY:
            self._line_at = monotonic()
            print(f"{state.sent:,} sent, {state.answered:,} answered, {state.text()}", file=sys.stderr, flush=True)
