"""Journals for tests: opened, killed, opened again."""

import enum
import shutil
from collections.abc import Callable
from pathlib import Path

from module.journal import Journal
from module.messages import Accepted, InputMessage

Open = Callable[..., Journal]


class Offer(enum.Enum):
    """What became of one message that was offered."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    FULL = "full"


def offer(journal: Journal, message: InputMessage, *, maybe_again: bool = False) -> Offer:
    """Offer one message."""
    before = journal._next
    if not journal.offer([message], maybe_again=maybe_again):
        return Offer.FULL
    return Offer.DUPLICATE if journal._next == before else Offer.ACCEPTED


def numbered(number: int, body: bytes | None = None, **system: str) -> InputMessage:
    """Give a message with an id and a body of its own."""
    return InputMessage(body or b'{"n": %d}' % number, "amlInput", {"message_id": f"m{number}", **system})


def fill(journal: Journal, numbers: range, size: int = 0) -> None:
    """Append numbered messages, each of at least so many bytes; all must be accepted."""
    for number in numbers:
        assert journal.offer([numbered(number, b"%0*d" % (size, number) if size else None)]) == 1


async def all_of(journal: Journal, count: int) -> list[Accepted]:
    """Take exactly ``count`` messages."""
    taken: list[Accepted] = []
    while len(taken) < count:
        taken += await journal.take(count - len(taken))
    return taken


def ids(taken: list[Accepted]) -> list[int]:
    """Give the numbers of messages that numbered() made."""
    return [int(each.message.system["message_id"][1:]) for each in taken]


def killed(journal: Journal, directory: Path, to: Path) -> Path:
    """Give what ``kill -9`` would leave behind at this moment: a copy of the files, without a word to the journal.

    The journal thread is quiet while a test stands between two awaits of nothing; copies are taken then.
    """
    shutil.copytree(directory, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("reserve"))
    return to
