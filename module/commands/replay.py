"""`scoring-module replay`: scores a file of messages through the module's own pipeline, without a hub."""

import argparse
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from ..streams import keep_stderr, stderr
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
where no message was scored, or any was not with --fail-on-errors. What fails for a reason outside of it, such as a
service that is down, is tried SCORING_TRANSIENT_TRIES times, a second apart at most; then it is an error, and what
follows is tried once each, until something is scored.

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
    from ..errors import SettingsError, UnwritableError
    from ..offline import Tally
    from ..process.event_loop import run_to_end
    from ..transports.message_files import may_wait, read_messages, read_telemetry
    from ..written import written

    read = settings_of(arguments.scoring_dir)
    file, output = arguments.file, arguments.output
    messages = read_messages(file) if arguments.messages else read_telemetry(file, "replay")
    tally, wait = Tally(), may_wait(file)
    if output and output.exists() and not wait and output.samefile(file):
        raise SettingsError(f"{output} is the file that is read: it would be written over")
    if not output and getattr(sys.stdout, "name", "") == os.devnull:
        raise SettingsError("standard output is closed: name a file with --output")
    own = _own_stdout()
    logs.configure(read.log_level, "text", keep_stderr())
    try:
        # Whoever waits for messages waits for their answers too.
        with written(output or own, str(output or "standard output"), at_once=wait) as lines:
            _answer_exits(lines, tally)
            run_to_end(_score(read, messages, lines, tally, wait=wait))
    except (UnwritableError, BrokenPipeError):
        tally.began = 0.0  # nobody knows how much of it was written
        raise
    finally:
        if tally.began:
            print(tally.text(), file=stderr())
    return 1 if not tally.scored or (arguments.fail_on_errors and tally.errors) else 0


def _own_stdout() -> int:
    """Give standard output for the answers alone: what the script writes there, past Python too, is said elsewhere."""
    sys.stdout.flush()
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # as standard error is: what is printed on both is in order
    return own


def _answer_exits(lines: "BinaryIO", tally: "Tally") -> None:
    """Say that the script has ended the process, which would else look like a success; what it forks may end so."""
    leave, here = os._exit, os.getpid()

    def exit_(status: int) -> NoReturn:
        if os.getpid() == here and threading.current_thread() is not threading.main_thread():
            with suppress(Exception):
                lines.flush()
            by = sys._getframe(1)
            where = f"{Path(by.f_code.co_filename).name} line {by.f_lineno}"
            counts = f"{tally.text()}\n" if tally.began else ""
            said = f"the script ended the process by os._exit({status}), {where}: it would end the module, too"
            with suppress(Exception):
                print(f"{counts}scoring-module: {said}", file=stderr())
            leave(3)
        leave(status)

    os._exit = exit_


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
            print(tally.so_far(), file=stderr(), flush=True)

    watchdog = Watchdog(MemoryInbox(), Metrics(), settings.run_timeout_s)
    batcher = await start_scoring(settings, watchdog, gives_up=True)
    tally.began = time.monotonic()
    saying = asyncio.create_task(say())
    try:
        arrived = arriving(tally.reading(messages), wait=wait)
        await carry(settings, batcher, arrived, tally.count, out=out, watchdog=watchdog)
    finally:
        saying.cancel()
    batcher.thread.stop()
