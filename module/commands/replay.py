"""`scoring-module replay`: scores a file of messages through the module's own pipeline, without a hub."""

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from . import Add, Commands, keep_stdout, settings_of

if TYPE_CHECKING:
    from ..messages import InputMessage
    from ..settings import Settings

_INPUT = "amlInput"
"""The input of a message that names none."""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    parser = add(
        commands,
        "replay",
        _replay,
        "score a file of messages through the same pipeline, without a hub",
        "example: scoring-module replay --scoring-dir examples/turbofan examples/turbofan/telemetry.jsonl.gz",
    )
    parser.add_argument("file", type=Path, metavar="FILE.jsonl[.gz]", help="a message body a line")
    parser.add_argument("--scoring-dir", type=Path, metavar="DIR", help="default: SCORING_DIR")
    parser.add_argument("--messages", action="store_true", help="lines are whole messages, as for simulate --messages")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.jsonl", help="default: standard output")


def _replay(arguments: argparse.Namespace) -> int:
    from .. import logs, runtime  # noqa: F401 - what takes long to import, so that the rate is of the messages alone
    from ..errors import SettingsError
    from ..process.event_loop import run_to_end
    from ..transports.jsonl import open_lines, read_messages, read_telemetry

    read = settings_of(arguments.scoring_dir)
    logs.configure(read.log_level, "text", sys.stderr)
    keep_stdout()
    file = arguments.file.absolute()  # the script's folder will be the working directory
    if not file.is_fifo():  # which has no second beginning
        open_lines(file).close()
    if arguments.output and arguments.output.exists() and arguments.output.samefile(file):
        raise SettingsError(f"{arguments.output} is the file that is read: it would be written over")
    messages = read_messages(file) if arguments.messages else read_telemetry(file, "replay")
    started = time.monotonic()
    try:
        output = arguments.output.open("wb") if arguments.output else nullcontext(sys.stdout.buffer)
        with output as out, redirect_stdout(sys.stderr):  # what the script prints is none of our answer
            count = run_to_end(_score(read, messages, out))
            out.flush()
    except OSError as error:
        raise SettingsError(f"cannot write {arguments.output or 'standard output'}: {error.strerror}") from error
    seconds = time.monotonic() - started
    logging.getLogger(__name__).info("%d messages in %.1f s, %.0f a second", count, seconds, count / max(seconds, 1e-9))
    return 0


async def _score(settings: "Settings", messages: "Iterable[InputMessage]", out: BinaryIO) -> int:
    """Carry messages through the pipeline, and write what would leave; gives their number."""
    import asyncio

    from msgspec import structs

    from ..inbox import MemoryInbox
    from ..operating.metrics import Metrics
    from ..process.watchdog import Watchdog
    from ..runtime import pipeline_of, start_scoring
    from ..transports.jsonl import JsonLines

    metrics = Metrics()
    inbox = MemoryInbox(settings.max_waiting, settings.max_waiting_mb << 20)
    batcher = await start_scoring(settings, Watchdog(inbox, metrics, settings.run_timeout_s))
    arriving = (each if each.input else structs.replace(each, input=_INPUT) for each in messages)
    lines = JsonLines(arriving, inbox, out)
    pipeline = pipeline_of(settings, batcher, inbox, lines.publish, metrics=metrics)
    try:
        count, _ = await asyncio.gather(lines.feed(), pipeline.serve())
    except BaseExceptionGroup as group:  # the pipeline's
        raise group.exceptions[0] from None
    batcher.thread.stop()
    return count
