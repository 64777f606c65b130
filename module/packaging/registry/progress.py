"""Shows on a terminal how a push goes on: a bar a blob with bytes and rate, on standard error; elsewhere nothing."""

import sys

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


def progress() -> Progress:
    """Give bars, which show nothing unless somebody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
