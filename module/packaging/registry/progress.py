"""Shows on a terminal how a push goes on: a bar a layer with bytes and rate. Elsewhere nothing is shown."""

import sys
from types import TracebackType
from typing import Protocol, Self


class Progress(Protocol):
    """Where a push tells what it does; its methods are called from several threads."""

    def begin(self, digest: str, size: int) -> int:
        """Begin a blob of so many bytes; gives its number."""

    def at(self, number: int, position: int) -> None:
        """Say how many of a blob's bytes are sent."""


class Silent:
    """Shows nothing."""

    def begin(self, digest: str, size: int) -> int:
        """Nothing."""
        return 0

    def at(self, number: int, position: int) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Bars:
    """A bar for each blob, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - 50 ms that a push without a terminal does not need
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._rich = Progress(*columns, console=Console(stderr=True))

    def begin(self, digest: str, size: int) -> int:
        """Show a bar."""
        return int(self._rich.add_task(digest.removeprefix("sha256:")[:12], total=size))

    def at(self, number: int, position: int) -> None:
        """Move a bar."""
        self._rich.update(number, completed=position)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()


def progress() -> Bars | Silent:
    """Give bars if somebody watches."""
    return Bars() if sys.stderr.isatty() else Silent()
