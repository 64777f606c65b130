"""The command line: one parser, the exit codes, and the one place where an exception becomes a sentence."""

import os
import signal
import sys

# Before the other imports, which take time: a signal to the first process of a container is lost without a handler.
if sys.argv[1:2] == ["run"] and os.path.basename(sys.argv[0]) in ("cli.py", "scoring-module"):
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, lambda *_: os._exit(0))

import argparse
import traceback
from contextlib import suppress

from scoring.errors import ModelError, ScoringError, ScriptError

from . import __version__
from .commands import Command, Commands, check, quarantine, replay, run, workshop
from .errors import ModuleError

_EXIT_CODES = "exit codes: 0 done, 1 failed, 2 settings or arguments, 3 scoring script or model, 4 hub"


def main() -> None:
    """Run the command line and exit with its code."""
    arguments = _parser().parse_args()
    # As PID 1 Python would ignore it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(arguments.terminated))
    try:
        code: int = arguments.command(arguments)
    except (ModuleError, ScoringError) as error:
        if arguments.debug:
            raise
        if isinstance(error, ScoringError) and error.user_traceback:
            print(error.user_traceback, file=sys.stderr)
        print(f"scoring-module: {error}", file=sys.stderr)
        code = 3 if isinstance(error, ScriptError | ModelError) else getattr(error, "exit_code", 1)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scoring-module",
        description="Run a score.py or a bare model.onnx on an Azure IoT Edge device.",
        epilog=f"{workshop.where()}. {_EXIT_CODES}.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run.register(commands, _add)
    if workshop.is_here():
        from .simulator import add_arguments

        add_arguments(_add(commands, "simulate", _simulate, "a local edgeHub: try a scoring script without Azure", ""))
    for each in (replay, check, quarantine, workshop):
        each.register(commands, _add)
    return parser


def _add(commands: Commands, name: str, command: Command, summary: str, epilog: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{epilog}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error of ours")
    parser.set_defaults(command=command, terminated=143)  # terminated, it has not done its part
    return parser


def _simulate(arguments: argparse.Namespace) -> int:
    from .process.event_loop import run_to_end
    from .simulator import options_from, simulate

    return run_to_end(simulate(options_from(arguments)))


if __name__ == "__main__":
    main()
