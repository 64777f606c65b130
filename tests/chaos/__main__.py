"""Rounds from a seed until the time is over or something is wrong: ``python -m tests.chaos --hours 1 --seed 7``."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from random import SystemRandom
from time import monotonic

from . import preload, verdict
from .plan import NAMES, draw_plan
from .round import Place, Result, make_place, run_round

sys.path.insert(0, str(Path(__file__).parents[1]))


@dataclass
class Totals:
    """Sums over rounds."""

    rounds: int = 0
    bad: int = 0
    messages: int = 0
    outputs: int = 0
    lives: int = 0
    kills: int = 0
    connections: int = 0
    faults: int = 0
    disk_errors: int = 0
    duplicates: int = 0

    def add(self, result: Result) -> None:
        """Add a round."""
        self.rounds += 1
        self.bad += bool(result.violations)
        for each in fields(self)[2:]:
            setattr(self, each.name, getattr(self, each.name) + getattr(result, each.name))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, each.name)} {each.name.replace('_', ' ')}" for each in fields(self))


def prepare(folder: Path) -> Place:
    """Make what all rounds share."""
    from small_models import make_all

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every write to a connection that was cut
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    models.mkdir()
    make_all(models)
    return make_place(folder, preload.build(folder), models)


def arguments_from(words: Sequence[str]) -> argparse.Namespace:
    """Give the arguments; what is wrong with them ends the process with 2."""
    listed = "\n".join(textwrap.fill(f"{kind}: {', '.join(names)}", 100) for kind, names in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=f"names for --without:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hours", type=float, default=0.1, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--round", type=int, help="this round alone")
    parser.add_argument("--from-round", type=int, default=0, help="begin with this round")
    parser.add_argument("--go-on", action="store_true", help="do not stop at the first violation")
    parser.add_argument("--without", type=_names, default=frozenset(), help="leave these out, comma between; see below")
    parser.add_argument("--folder", type=Path, help="for logs and journals (default: a new one)")
    return parser.parse_args(words)


def _names(text: str) -> frozenset[str]:
    given, known = frozenset(filter(None, text.split(","))), [name for names in NAMES.values() for name in names]
    if unknown := given.difference(known):
        raise argparse.ArgumentTypeError(f"nothing is named {', '.join(sorted(unknown))}; names: {', '.join(known)}")
    return given


async def _main(arguments: argparse.Namespace) -> int:
    if (main := asyncio.current_task()) is not None:  # as Ctrl-C does: the round ends its module and its mount
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    seed = SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    place = prepare(folder)
    print(f"seed {seed}, in {folder}; {_missing(place)}", flush=True)
    totals, began = Totals(), monotonic()
    without: frozenset[str] = arguments.without
    number = arguments.from_round if arguments.round is None else arguments.round
    while monotonic() - began < arguments.hours * 3600:
        plan = draw_plan(seed, number, mounts=place.mounts, without=without)
        if plan.script in without:
            number += 1
            continue
        print(plan, flush=True)
        result = await run_round(plan, place)
        totals.add(result)
        _report(result, totals, folder)
        if arguments.round is not None or (result.violations and not arguments.go_on):
            break
        if not result.violations:
            shutil.rmtree(folder / f"round-{number}", ignore_errors=True)
        number += 1
    print(f"seed {seed}: {totals} in {(monotonic() - began) / 60:.1f} min: {'VIOLATED' if totals.bad else 'clean'}")
    return 1 if totals.bad else 0


def _missing(place: Place) -> str:
    """Say what this machine cannot do."""
    lacks = [] if place.library else [f"no disk and clock faults ({preload.NEEDS})"]
    lacks += [] if place.mounts else ["no volumes (needs root and loop devices)"]
    return "; ".join(lacks) or "all faults"


def _report(result: Result, totals: Totals, folder: Path) -> None:
    if result.violations:
        kept = folder / f"round-{result.plan.number}"
        print(
            f"VIOLATION in seed {result.plan.seed} round {result.plan.number}:\n{verdict.first(result.violations)}\n"
            f"  module.log, hub.log, plan and journal: {kept}\n"
            f"  again: python -m tests.chaos --seed {result.plan.seed} --round {result.plan.number}"
            + (f' --without "{",".join(sorted(result.plan.without))}"' if result.plan.without else "")
        )
    print(f"  {result.seconds:.1f} s, peak {result.peak_mb} MB | {totals}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_main(arguments_from(sys.argv[1:]))))
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(143)
