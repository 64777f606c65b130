"""The command line: one sub-command, one function; heavy imports stay inside them."""

import os
import signal
import sys

# Before the other imports, which take time: a signal to the first process of a container is lost without a handler.
if sys.argv[1:2] == ["run"] and os.path.basename(sys.argv[0]) in ("cli.py", "scoring-module"):
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, lambda *_: os._exit(0))

import argparse
import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TypeVar

from scoring.errors import ModelError, ScoringError, ScriptError

from . import __version__
from .errors import ModuleError, SettingsError

T = TypeVar("T")
_Command = Callable[[argparse.Namespace], int]
_Commands = Any  # argparse names no public type for what add_subparsers() gives

_EXIT_CODES = "exit codes: 0 done, 1 failed, 2 settings or arguments, 3 scoring script or model, 4 hub"


def main() -> None:
    """Run the command line and exit with its code."""
    arguments = _parser().parse_args()
    # As PID 1 Python would ignore it. The module may be stopped at any time, any other command has not done its part.
    terminated = 0 if arguments.command is _run else 143
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(terminated))
    try:
        code: int = arguments.command(arguments)
    except (ModuleError, ScoringError) as error:
        if arguments.debug:
            raise
        code = _explain(error)
    except KeyboardInterrupt:
        code = 130
    except Exception:
        traceback.print_exc()
        code = 1
    with suppress(Exception):  # whoever read has gone, or the script has closed them
        sys.stdout.flush()
        sys.stderr.flush()
    # Threads of the SDK and a run() that never returns must not keep the process from ending.
    os._exit(code)


def _explain(error: ModuleError | ScoringError) -> int:
    """Print one sentence, the user's own traceback if there is one, and give the exit code."""
    if isinstance(error, ScoringError) and error.user_traceback:
        print(error.user_traceback, file=sys.stderr)
    print(f"scoring-module: {error}", file=sys.stderr)
    if isinstance(error, ScriptError | ModelError):
        return 3
    return error.exit_code if isinstance(error, ModuleError) else 1


def _parser() -> argparse.ArgumentParser:
    from .commands import workshop

    parser = argparse.ArgumentParser(
        prog="scoring-module",
        description="Run a score.py or a bare model.onnx on an Azure IoT Edge device.",
        epilog=f"{workshop.where()}. {_EXIT_CODES}.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add(commands, "run", _run, "the module: what the image starts", _settings_help())
    if workshop.is_here():
        _add_simulate(commands)
    _add_replay(commands)
    _add_checking(commands)
    workshop.register(commands, _add)
    return parser


def _add(
    commands: _Commands,
    name: str,
    command: _Command,
    summary: str,
    epilog: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{epilog}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error of ours")
    parser.set_defaults(command=command)
    return parser


def _add_simulate(commands: _Commands) -> None:
    from .simulator import add_arguments

    parser = _add(commands, "simulate", _simulate, "a local edgeHub: try a scoring script without Azure", "")
    add_arguments(parser)


def _add_checking(commands: _Commands) -> None:
    from .commands import check, quarantine

    check.register(commands, _add)
    quarantine.register(commands, _add)


def _add_replay(commands: _Commands) -> None:
    parser = _add(
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


def _run(arguments: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # until the runtime is up there is nothing to put in order
    from . import logs, runtime, settings

    read = settings.read(os.environ)
    logs.configure(read.log_level, read.log_format)
    # The process ends with it: what still waits for a silent hub is not waited for.
    _new_loop().run_until_complete(runtime.run(read))
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    from .simulator import options_from, simulate

    return _on_loop(simulate(options_from(arguments)))


def _replay(arguments: argparse.Namespace) -> int:
    from . import logs, runtime, settings
    from .transports.jsonl import open_lines, read_messages, read_telemetry

    directory = arguments.scoring_dir or os.environ.get("SCORING_DIR")
    read = settings.read({**os.environ, **({"SCORING_DIR": str(directory)} if directory else {})})
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
            count = _on_loop(runtime.replay(read, messages, out))
            out.flush()
    except OSError as error:
        raise SettingsError(f"cannot write {arguments.output or 'standard output'}: {error.strerror}") from error
    seconds = time.monotonic() - started
    logging.getLogger(__name__).info("%d messages in %.1f s, %.0f a second", count, seconds, count / max(seconds, 1e-9))
    return 0


def _on_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and everything that it began."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(_until_terminated(coroutine))


async def _until_terminated(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine; SIGTERM cancels it, so that it may say what it knows, and is exit code 143.

    An exception raised by a signal's handler may meet the event loop where it is dropped.
    """
    task, signalled = asyncio.current_task(), asyncio.Event()
    assert task is not None  # noqa: S101 - it runs as one

    def cancel() -> None:
        signalled.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cancel)
    try:
        return await coroutine
    except asyncio.CancelledError:
        if signalled.is_set():
            sys.exit(143)
        raise


def _new_loop() -> asyncio.AbstractEventLoop:
    """Give uvloop's event loop where it exists, else asyncio's own."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _settings_help() -> str:
    from .settings import describe

    rows = [f"  {row.name:26} {row.description} (default: {row.default or 'empty'})" for row in describe()]
    return "settings, from the environment:\n" + "\n".join(rows)


if __name__ == "__main__":
    main()
