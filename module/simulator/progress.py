"""Shows how far a simulation is: a bar on a terminal, else a line every few seconds; on stderr."""

import sys
from time import monotonic
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_LINE_EVERY = 5.0


def progress_text(rate: float, p50: float | None, p99: float | None, mean_batch: float | None, errors: int) -> str:
    """Give all but the counts that the bar shows: messages a second, milliseconds, requests, messages."""
    parts = [f"{rate:,.0f}/s"]
    if p50 is not None:
        parts.append(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    if mean_batch is not None:
        parts.append(f"mean batch {mean_batch:.1f}")
    return ", ".join([*parts, f"{errors:,} errors"])


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

    @property
    def is_bar(self) -> bool:
        """Whether there is a bar, above which others have to write."""
        return not self._bar.disable

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        self._bar.console.out(line, highlight=False)

    def show(self, sent: int, answered: int, text: str) -> None:
        """Show these counts of messages and what else there is to say; without a terminal only every 5 s."""
        self._bar.update(self._task, completed=answered, description=text)
        if self._bar.disable and monotonic() - self._line_at >= _LINE_EVERY:
            self._line_at = monotonic()
            print(f"{sent:,} sent, {answered:,} answered, {text}", file=sys.stderr, flush=True)
