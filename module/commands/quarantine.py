"""`scoring-module quarantine`: the messages that could not be scored, for people and programs, beside a running module.

What is shown came from anywhere: nothing of it reaches the terminal that the terminal would obey.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from . import Add, Command, Commands, say_unknown_settings

if TYPE_CHECKING:
    from ..journal.quarantine import Quarantined

_SHOWN = 160
"""Characters of a text in a list."""

_EXAMPLES = """\
examples:
  scoring-module quarantine list
  scoring-module quarantine show 12
  scoring-module quarantine export poison.jsonl
  scoring-module replay --messages poison.jsonl
  scoring-module quarantine replay --only 12 13

exits with 1 where a message that was asked for is not there, or stays because its record is damaged
"""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command and what it does."""
    summary = "messages that could not be scored: list, show, export them, put them back, drop them"
    list_them = partial(_print, _short)
    verbs = add(commands, "quarantine", list_them, summary, _EXAMPLES).add_subparsers(required=True, metavar="VERB")

    def verb(name: str, command: Command, help_: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = verbs.add_parser(
            name, help=help_, description=f"{help_[0].upper()}{help_[1:]}."
        )
        parser.add_argument("--journal-dir", type=Path, metavar="DIR", help="default: SCORING_JOURNAL_DIR")
        parser.set_defaults(command=command)
        return parser

    list_ = verb("list", list_them, "each in a few lines")
    show = verb("show", partial(_print, _whole), "one as a whole")
    export = verb("export", _export, "into a file that scoring-module replay --messages reads")
    replay = verb("replay", _put_back, "put them back: the module scores them once more")
    drop = verb("drop", _drop, "delete them for good")
    show.add_argument("only", type=_seq, nargs=1, metavar="SEQ", help="its number in the list")
    export.add_argument("file", type=Path, metavar="FILE", help="a new one; -: standard output")
    for each in (list_, export, replay, drop):
        each.add_argument("--only", type=_seq, nargs="+", metavar="SEQ", help="these alone (default: all)")
    for each in (list_, show):
        each.add_argument("--json", action="store_true", help="a JSON object a line, with all there is")


def _seq(text: str) -> int:
    with suppress(ValueError):
        if -1 << 63 <= (seq := int(text)) < 1 << 63:
            return seq
    raise argparse.ArgumentTypeError(f"{text[:30]!r} is no number of a message")


def _directory(arguments: argparse.Namespace) -> Path:
    from ..settings import Settings

    say_unknown_settings()
    given = arguments.journal_dir or os.environ.get("SCORING_JOURNAL_DIR")
    return Path(given) if given else Settings().journal_dir


def _chosen(arguments: argparse.Namespace) -> "Iterator[Quarantined]":
    """Give the messages that are meant, and end with an error if one is not there."""
    from ..journal.quarantine import quarantined

    found = set()
    for each in quarantined(_directory(arguments)):
        if arguments.only is None or each.seq in arguments.only:
            found.add(each.seq)
            yield each
    _all_of(arguments.only or (), found)


def _all_of(asked: Iterable[int], found: Collection[int]) -> None:
    """See that nothing is missing.

    Raises:
        ModuleError: something is.
    """
    from ..errors import ModuleError

    if missing := ", ".join(str(seq) for seq in sorted(set(asked) - set(found))):
        raise ModuleError(f"there is no {missing} in the quarantine: scoring-module quarantine list says what there is")


def _print(form: "Callable[[Quarantined], Iterator[str]]", arguments: argparse.Namespace) -> int:
    for each in _chosen(arguments):
        if arguments.json:
            sys.stdout.buffer.write(_json(each))  # UTF-8, whatever the terminal has
        else:
            print("\n".join(form(each)))
    return 0


def _short(each: "Quarantined") -> Iterator[str]:
    message = each.message
    names = (message.input, message.system.get("message_id", "")) if message else ("", "")
    yield f"{each.seq}  {_safe(each.at)}  {each.size} B  {'  '.join(map(_cut, names))}".rstrip()
    yield f"    reason      {_cut(each.reason)}"
    if message is not None:
        yield f"    properties  {_cut(', '.join(map('='.join, message.properties.items())))}".rstrip()
        yield f"    body        {_cut(_text(message.body[: 4 * _SHOWN + 4]))}".rstrip()


def _whole(each: "Quarantined") -> Iterator[str]:
    yield from (f"seq     {each.seq}", f"at      {_safe(each.at)}", f"reason  {_safe(each.reason)}")
    if (message := each.message) is None:
        yield "body    cannot be read: its record is damaged"
        return
    yield f"input   {_safe(message.input)}"
    yield from (f"  {_safe(name)} = {_safe(text)}" for name, text in message.system.items())
    yield from (f"  {_safe(name)} = {_safe(text)}" for name, text in message.properties.items())
    yield "body"
    yield from map(_safe, _text(message.body).split("\n"))  # the last, so that no line of it is taken for ours


def _json(each: "Quarantined") -> bytes:
    """Give all there is of a message in a line; without what a file has of it if its record is damaged."""
    from ..transports.jsonl import input_line

    head = json.dumps({"seq": each.seq, "at": each.at, "reason": each.reason, "size": each.size}).encode()
    return head + b"\n" if each.message is None else head[:-1] + b"," + input_line(each.message)[1:]


def _export(arguments: argparse.Namespace) -> int:
    from ..transports.jsonl import input_line
    from ..written import written

    chosen = _chosen(arguments)
    first = list(islice(chosen, 1))  # no file is made where there is no journal
    exported = damaged = 0
    to_stdout = str(arguments.file) == "-"
    with nullcontext(sys.stdout.buffer) if to_stdout else written(arguments.file, new=True) as file:
        for each in chain(first, chosen):
            if each.message is None:
                damaged += 1
            else:
                exported += bool(file.write(input_line(each.message)))
    print(f"{exported} written", file=sys.stderr)
    return _stay(damaged)


def _put_back(arguments: argparse.Namespace) -> int:
    from ..journal.quarantine import quarantined, replay

    directory = _directory(arguments)
    damaged = {each.seq for each in quarantined(directory) if not each.message}
    done = replay(directory, arguments.only)
    print(f"{len(done)} put back")
    _all_of(arguments.only or (), done | damaged)
    return _stay(len(damaged if arguments.only is None else damaged & set(arguments.only)))


def _stay(damaged: int) -> int:
    if damaged:
        print(f"scoring-module: the records of {damaged} are damaged and cannot be read: they stay", file=sys.stderr)
    return 1 if damaged else 0


def _drop(arguments: argparse.Namespace) -> int:
    from ..journal.quarantine import drop

    done = drop(_directory(arguments), arguments.only)
    print(f"{len(done)} dropped")
    _all_of(arguments.only or (), done)
    return 0


def _text(body: bytes) -> str:
    return body.decode(errors="backslashreplace")


def _cut(text: str) -> str:
    line = _safe(text[: _SHOWN + 1])
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _safe(text: str) -> str:
    """Escape what a terminal would obey, or show in another order."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
