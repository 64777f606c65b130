"""`scoring-module replay`: scores a file of messages through the module's own pipeline, without a hub."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..transports import BODIES
from . import Add, Commands, settings_of

if TYPE_CHECKING:
    from ..messages import InputMessage
    from ..offline import Tally
    from ..settings import Settings

_SAY_EVERY = 5.0
"""Seconds between two lines that say how far it is."""

_EPILOG = """\
The last line, on standard error, counts what left by output and what was not scored by the kind of error. Exits with 1
where no message was scored, or any was not with --fail-on-errors.

examples:
  scoring-module replay --scoring-dir examples/turbofan examples/turbofan/telemetry.jsonl.gz -o out.jsonl
  tail -f telemetry.jsonl | scoring-module replay --scoring-dir examples/turbofan -
"""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    summary = "score a file of messages through the same pipeline, without a hub"
    parser = add(commands, "replay", _replay, summary, _EPILOG)
    parser.add_argument("file", type=Path, metavar="FILE[.gz]", help=BODIES)
    parser.add_argument("--scoring-dir", type=Path, metavar="DIR", help="default: SCORING_DIR")
    parser.add_argument("--messages", action="store_true", help="lines are whole messages, as for simulate --messages")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.jsonl", help="default: standard output")
    parser.add_argument("--fail-on-errors", action="store_true", help="exit with 1 if any message was not scored")


def _replay(arguments: argparse.Namespace) -> int:
    from .. import logs
    from ..errors import ModuleError, SettingsError
    from ..offline import Tally
    from ..process.event_loop import run_to_end
    from ..transports.message_files import may_wait, read_messages, read_telemetry

    read = settings_of(arguments.scoring_dir)
    logs.configure(read.log_level, "text", sys.stderr)
    file, output = arguments.file, arguments.output
    messages = read_messages(file) if arguments.messages else read_telemetry(file, "replay")
    tally, wait = Tally(), may_wait(file)
    if output and output.exists() and not wait and output.samefile(file):
        raise SettingsError(f"{output} is the file that is read: it would be written over")
    if not output and getattr(sys.stdout, "name", "") == os.devnull:
        raise SettingsError("standard output is closed: name a file with --output")
    own = _own_stdout()
    try:
        # Whoever waits for messages waits for their answers too.
        lines = open(output or own, "wb", buffering=0 if wait else -1)  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
    try:
        with lines:
            run_to_end(_score(read, messages, lines, tally, wait=wait))
    except BrokenPipeError:
        tally.began = 0.0  # quiet
        raise
    except OSError as error:
        tally.began = 0.0  # nobody knows how much of it was written
        raise ModuleError(f"cannot write {output or 'standard output'}: {error.strerror}") from error
    finally:
        if tally.began:
            print(tally.text(), file=sys.stderr)
    return 1 if not tally.scored or (arguments.fail_on_errors and tally.errors) else 0


def _own_stdout() -> int:
    """Give standard output for the answers alone: what the script writes there, past Python too, is said elsewhere."""
    sys.stdout.flush()
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return own


async def _score(
    settings: "Settings", messages: "Iterator[InputMessage]", out: "BinaryIO", tally: "Tally", *, wait: bool
) -> None:
    """Load the script, carry the messages, and say every few seconds how far it is."""
    import asyncio

    from ..inbox import MemoryInbox
    from ..offline import carry
    from ..operating.metrics import Metrics
    from ..process.watchdog import Watchdog
    from ..runtime import start_scoring
    from ..transports.message_files import arriving

    async def say() -> None:
        while True:
            await asyncio.sleep(_SAY_EVERY)
            print(tally.text(), file=sys.stderr, flush=True)

    watchdog = Watchdog(MemoryInbox(), Metrics(), settings.run_timeout_s)
    batcher = await start_scoring(settings, watchdog)
    tally.began = time.monotonic()
    saying = asyncio.create_task(say())
    try:
        await carry(settings, batcher, arriving(messages, wait=wait), tally.count, out=out, watchdog=watchdog)
    finally:
        saying.cancel()
    batcher.thread.stop()
