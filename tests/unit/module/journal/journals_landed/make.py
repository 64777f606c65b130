"""Makes a journal directory as the version that is importable leaves it when it is killed: ``make.py DIRECTORY``."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from module.journal import Journal
from module.messages import InputMessage


def message(number: int) -> InputMessage:
    """Give a message; every third has no id, and the 30th needs more than one page."""
    system = {"device_id": "leaf", "content_type": "application/json"}
    if number % 3:
        system["message_id"] = f"m{number}"
    filling = b"x" * (9000 if number == 30 else 20)
    return InputMessage(b'{"n": %d, "filling": "%s"}' % (number, filling), "amlInput", system, {"site": "Zürich"})


async def first(journal: Journal) -> None:
    """Accept 40, finish 10 of them, two into the quarantine; die alone with the 11th."""
    for number in range(1, 41):
        assert journal.offer([message(number)]) == 1
    taken = await journal.take(10)
    await journal.done([each.seq for each in taken], {2: "it raised ValueError", 3: "it raised KeyError: 'ü'"})
    journal.running([11])


async def second(journal: Journal) -> None:
    """Crash with the 11th."""
    journal._reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # keeps what is committed small
    journal.explain("Fatal Python error: Segmentation fault\n")
    journal.running([11])


async def third(journal: Journal) -> None:
    """Finish 13 and 14 out of turn, accept five more together, die with the 12th."""
    await journal.take(3)
    await journal.done([13, 14], {14: "late"})
    assert journal.offer([message(number) for number in range(41, 46)]) == 5
    journal.running([12])


async def live(life: str, directory: Path) -> None:
    """Live one of the three lives."""
    await {"first": first, "second": second, "third": third}[life](Journal(directory))
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(live(sys.argv[2], Path(sys.argv[1])))
    for each in ("first", "second", "third"):
        os.spawnl(os.P_WAIT, sys.executable, sys.executable, __file__, sys.argv[1], each)
