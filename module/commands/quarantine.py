"""`scoring-module quarantine`: lists the messages that could not be scored, puts them back or drops them."""

import argparse
import json
import os
import sys
from pathlib import Path

from . import Add, Commands

_EXAMPLES = """\
examples:
  scoring-module quarantine list
  scoring-module quarantine replay --only 12 13
  scoring-module quarantine drop
"""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    summary = "messages that could not be scored: list them, put them back, drop them"
    parser = add(commands, "quarantine", _quarantine, summary, _EXAMPLES)
    parser.add_argument("what", choices=("list", "replay", "drop"))
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these numbers alone (default: all)")
    parser.add_argument("--journal-dir", type=Path, metavar="DIR", help="default: SCORING_JOURNAL_DIR")
    parser.add_argument("--json", action="store_true", help="list: a JSON object a line")


def _quarantine(arguments: argparse.Namespace) -> int:
    from ..journal import quarantine
    from ..settings import Settings

    given = arguments.journal_dir or os.environ.get("SCORING_JOURNAL_DIR")
    directory = Path(given) if given else Settings().journal_dir
    seqs = arguments.only
    if arguments.what == "drop":
        print(f"{quarantine.drop(directory, seqs)} dropped")
        return 0
    if arguments.what == "replay":
        print(f"{quarantine.replay(directory, seqs)} put back")
    chosen = (each for each in quarantine.quarantined(directory) if seqs is None or each.seq in seqs)
    if arguments.what == "replay":
        if left := sum(not each.message for each in chosen):
            print(f"scoring-module: the records of {left} are damaged: they stay", file=sys.stderr)
        return 0
    for each in chosen:
        name = each.message.system.get("message_id", "") if each.message else ""
        if arguments.json:
            print(json.dumps({"seq": each.seq, "at": each.at, "message_id": name, "reason": each.reason}))
        else:
            print(f"{each.seq:>8}  {each.at}  {each.size:>7} B  {_line(name)}  {_line(each.reason)}")
    return 0


def _line(text: str) -> str:
    """Give the first line of a text, without what a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in text.partition("\n")[0])
