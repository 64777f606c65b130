"""The command line: one parser, the exit codes, and the one place where an exception becomes a sentence."""

import os
import signal
import sys

# Before the other imports, which take time: a signal to the first process of a container is lost without a handler.
_EARLY = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) is not signal.SIG_IGN]
if os.path.basename(sys.argv[0]) in ("cli.py", "scoring-module"):
    for _number in _EARLY:
        signal.signal(_number, lambda number, _: os._exit(0 if sys.argv[1:2] == ["run"] else 128 + number))

import argparse
import io
import traceback
from contextlib import suppress
from functools import partial

from scoring.errors import ModelError, ScoringError, ScriptError

from .commands import Command, Commands, check, completion, quarantine, replay, run, workshop
from .errors import ModuleError
from .logs import visible
from .parser import Parser, Version
from .streams import finish, flush, stderr
from .written import refusal

_SIMULATE = "a local edgeHub: try a scoring script without Azure"
_EXIT_CODES = "exit codes: 0 done, 1 failed, 2 settings or arguments, 3 scoring script or model, 4 hub"


def main() -> None:
    """Run the command line and exit with its code."""
    _make_streams_safe()
    arguments = argparse.Namespace(debug=False)
    try:
        _parser().parse_args(namespace=arguments)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(arguments.terminated))
        if signal.SIGINT in _EARLY:  # a shell's background job goes on ignoring it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code: int = arguments.command(arguments)
        finish()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # whoever reads has seen enough
        code = 141
    except Exception as error:
        if arguments.debug:
            raise
        code = _say(error)
    flush()
    if processes := sys.modules.get("multiprocessing"):  # the script's, which end with it as at Python's own end
        for process in processes.active_children():
            process.terminate()
    # Threads of the SDK and a run() that never returns must not keep the process from ending.
    os._exit(code)


def _make_streams_safe() -> None:
    """Let every text be written in any encoding, and no file that is opened later take a closed stream's number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - open to the end
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # which keeps it open when a command sets another one
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(error: Exception) -> int:
    """Say what went wrong, in one sentence if it is known to go wrong; gives the exit code."""
    code = 3 if isinstance(error, ScriptError | ModelError) else getattr(error, "exit_code", 1)
    if isinstance(error, ModuleError | ScoringError):
        trace = getattr(error, "user_traceback", "")
        said = f"{trace}\nscoring-module: {error}" if trace else f"scoring-module: {error}"
    elif isinstance(error, OSError) and (refused := refusal(error)):
        said, code = f"scoring-module: {refused}", refused.exit_code
    elif "surrogates not allowed" in str(error):  # whichever library meets a name that the locale cannot read
        name = f"{getattr(error, 'object', 'an argument')!a}"
        said, code = f"scoring-module: {name} is no text in UTF-8: rename it, or set PYTHONUTF8=1 if it is", 2
    else:
        said = "".join(traceback.format_exception(error)).rstrip()
    with suppress(Exception):  # nobody can be told: the code says it
        print(visible(said), file=stderr())
    return code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="scoring-module",
        description="Run a score.py or a bare model.onnx on an Azure IoT Edge device.",
        epilog=f"{workshop.where()}.\n\n{_EXIT_CODES}.",
    )
    parser.absent = workshop.absent()
    parser.add_argument("--version", action=Version, nargs=0, help="show the versions and exit")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run.register(commands, _add)
    if workshop.is_here():
        from .simulator import add_arguments

        add_arguments(workshop.add_with_extra(_add, commands, "simulate", _simulate, _SIMULATE, ""))
    for each in (replay, check, quarantine, workshop):
        each.register(commands, _add)
    if workshop.is_here():
        completion.register(commands, partial(workshop.add_with_extra, _add), parser)
    return parser


def _add(commands: Commands, name: str, command: Command, summary: str, epilog: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{epilog}\n\n{_EXIT_CODES}",
    )
    parser.set_defaults(command=command, terminated=143)  # terminated, it has not done its part
    return parser


def _simulate(arguments: argparse.Namespace) -> int:
    from .process.event_loop import run_to_end
    from .simulator import options_from, simulate

    return run_to_end(simulate(options_from(arguments)))


if __name__ == "__main__":
    main()
