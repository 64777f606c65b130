"""`scoring-module replay`: scores a file of messages through the module's own pipeline, without a hub."""

import argparse
import logging
import sys
import time
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from . import Add, Commands, settings_of

# What the command needs is imported when it runs: `scoring-module run` starts without it.
# ruff: noqa: PLC0415


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
    from .. import logs, runtime
    from ..errors import SettingsError
    from ..process.event_loop import run_to_end
    from ..transports.jsonl import open_lines, read_messages, read_telemetry

    read = settings_of(arguments.scoring_dir)
    logs.configure(read.log_level, "text", sys.stderr)
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
            count = run_to_end(runtime.replay(read, messages, out))
            out.flush()
    except OSError as error:
        raise SettingsError(f"cannot write {arguments.output or 'standard output'}: {error.strerror}") from error
    seconds = time.monotonic() - started
    logging.getLogger(__name__).info("%d messages in %.1f s, %.0f a second", count, seconds, count / max(seconds, 1e-9))
    return 0
