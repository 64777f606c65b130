"""The command line of ``scoring-module simulate``."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..transports import BODIES

_DESCRIPTION = """\
Be edgeHub for one module: start COMMAND with the IOTEDGE_* variables that edgeAgent would give it, send it the messages
of a file as a leaf device would, one un-acked at a time, and count what comes back.
"""

_EXAMPLE = """\
examples:
  Score 1,000 messages and see what would have gone to IoT Hub:
    export SCORING_DIR=examples/turbofan
    scoring-module simulate --telemetry telemetry.jsonl.gz --limit 1000 --upstream out.jsonl

  Prove that nothing is lost when the process is killed every three seconds or so:
    scoring-module simulate --telemetry telemetry.jsonl.gz --kill-every 3

  Try any other module that uses an IoT Hub SDK:
    scoring-module simulate --module filter --telemetry telemetry.jsonl -- python filter.py

COMMAND gets a free port in SCORING_HTTP_PORT unless that is set. What it answers with nothing on purpose it has to say
on the output that SCORING_NOTHING_OUTPUT names, as scoring-module does; else it counts as lost.

exit code: 0 every message is accounted for, 1 some are not, none was scored, any was not with --fail-on-errors, or no
kill of --kill-every met one, and the summary says why, 2 wrong arguments, 130 or 143 interrupted, with the summary so
far, COMMAND's own if it ends by itself
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What to simulate; see ``add_arguments`` for the meaning of each."""

    telemetry: Path | None = None
    messages: Path | None = None
    manifest: Path | None = None
    module: str | None = None
    limit: int | None = None
    rate: float = 0.0
    listen: str = "127.0.0.1"
    upstream: Path | None = None
    summary: Path | None = None
    kill_every: float | None = None
    ack_timeout: float = 30.0
    max_in_flight: int = 1
    settle: float = 10.0
    fail_on_errors: bool = False
    command: tuple[str, ...] = (sys.executable, "-m", "module.cli", "run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``simulate``, with a description and examples."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLE
    default = Options()
    source = parser.add_mutually_exclusive_group(required=True).add_argument
    source("--telemetry", metavar="FILE", type=Path, help=BODIES)
    messages = '- or .jsonl[.gz], lines {"input", "system", "properties", "body" or "base64"}'
    source("--messages", metavar="FILE", type=Path, help=messages)
    option = parser.add_argument
    manifest = "deployment with routes and module twin (default: ./deployment.template.json, else built-in routes)"
    option("--manifest", metavar="FILE", type=Path, help=manifest)
    option("--module", metavar="NAME", help="the module to be, if the routes lead to several")
    option("--listen", metavar="ADDRESS", default=default.listen, help="address, port 8883 (default: %(default)s)")
    again = "send an un-acked message again after this (default: %(default)g)"
    option("--ack-timeout", metavar="SECONDS", type=float, default=default.ack_timeout, help=again)
    in_flight = "un-acked messages at a time (default: %(default)s, edgeHub's)"
    option("--max-in-flight", metavar="N", type=int, default=default.max_in_flight, help=in_flight)
    option("--limit", metavar="N", type=int, help="send N messages at most")
    rate = "messages a second, once COMMAND is connected (default: 0, as fast as they are taken)"
    option("--rate", metavar="N", type=float, default=default.rate, help=rate)
    kill = (
        "kill -9 COMMAND while messages are under way, on average this long after it connected (one life of four: "
        "after it started), and start it again"
    )
    option("--kill-every", metavar="SECONDS", type=float, help=kill)
    settle = "without any progress for this long, unanswered messages count as lost (default: %(default)g)"
    option("--settle", metavar="SECONDS", type=float, default=default.settle, help=settle)
    option("--fail-on-errors", action="store_true", help="exit with 1 if any message was not scored")
    option("--upstream", metavar="FILE", type=Path, help="write a line for each message to $upstream")
    option("--summary", metavar="FILE", type=Path, help="write the counts as JSON")
    option("child", metavar="COMMAND", nargs="*", help="after --, what to start (default: scoring-module run)")


def options_from(args: argparse.Namespace) -> Options:
    """Give the options of a parsed command line.

    Raises:
        SettingsError: a number does not fit, or a file is not there.
    """
    given = {name: getattr(args, name) for name in Options.__dataclass_fields__ if name != "command"}
    for name, least in (("limit", 1), ("rate", 0), ("ack_timeout", 0.1), ("max_in_flight", 1), ("settle", 0.1)):
        if given[name] is not None and not given[name] >= least:
            raise SettingsError(f"--{name.replace('_', '-')} {given[name]} must be at least {least}")
    if args.listen.count(":") == 1:  # an IPv6 address has more
        raise SettingsError(f"--listen {args.listen} must be an address alone: the port is 8883, as edgeHub's is")
    if args.kill_every is not None and not args.kill_every > 0:
        raise SettingsError(f"--kill-every {args.kill_every} must be more than 0")
    from ..transports.message_files import may_wait  # noqa: PLC0415 - what reads them is imported with the rest

    sources = {name: given[name] for name in ("telemetry", "messages", "manifest") if given[name] is not None}
    for name, source in sources.items():
        if not (source.is_file() or (name != "manifest" and may_wait(source))):
            raise SettingsError(f"--{name} {source} is not a file")
    for name, path in (("upstream", args.upstream), ("summary", args.summary)):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise SettingsError(f"--{name} {path} cannot be written: its folder is not there or it is a folder")
        for read, source in sources.items():
            if path is not None and path.exists() and source.is_file() and path.samefile(source):
                raise SettingsError(f"--{name} {path} is the file that --{read} reads: it would be written over")
    return Options(**given, command=tuple(args.child) or Options().command)
