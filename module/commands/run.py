"""`scoring-module run`: the module itself, what the image starts."""

import argparse
import logging
import os
import signal
import sys

from ..streams import keep_stderr, kept
from . import Add, Commands, say_unknown_settings


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    from ..settings import describe

    rows = [f"  {row.name:26} {row.description} (default: {row.default or 'empty'})" for row in describe()]
    epilog = "settings, from the environment:\n" + "\n".join(rows)
    parser = add(commands, "run", _run, "the module: what the image starts", epilog)
    parser.set_defaults(terminated=0)  # it may be stopped at any time


def _run(arguments: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # until the runtime has its own
    from .. import logs, runtime, settings
    from ..errors import SettingsError
    from ..process.event_loop import new_loop

    try:
        read = settings.read(os.environ)
    except SettingsError:
        say_unknown_settings()  # one of them may be the one that is missing
        raise
    logs.configure(read.log_level, read.log_format, kept(sys.stdout))
    keep_stderr()
    for sentence in settings.unknown(os.environ):
        logging.getLogger(__name__).warning("%s", sentence)
    # The process ends with it: what still waits for a silent hub is not waited for.
    new_loop().run_until_complete(runtime.run(read))
    return 0
