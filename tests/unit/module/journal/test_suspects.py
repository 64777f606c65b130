"""Which message killed the process: one that was alone at two crashes, never one that a random kill hit."""

import asyncio
import sys
from pathlib import Path

import pytest
from journals import Open, all_of, fill, ids, killed

from module.journal import Journal
from module.journal.suspects import CRASH, HUNG


class Lives:
    """One journal directory through several deaths."""

    def __init__(self, open_journal: Open, tmp_path: Path) -> None:
        self._open, self._tmp_path, self._number = open_journal, tmp_path, 0
        self.journal: Journal = open_journal(tmp_path / "life0")

    def leave(self, stacks: str) -> None:
        """Leave these stacks, as a signal does."""
        with (self._tmp_path / f"life{self._number}" / CRASH).open("a") as file:
            file.write(stacks)

    def die(self, seqs: list[int], why: str = "") -> None:
        """Die inside a run() of these messages, with a stack dump or (a kill) without, and start again."""
        self.journal.running(seqs)
        if why:
            self.journal.explain(why)
        here = self._tmp_path / f"life{self._number}"
        self._number += 1
        self.journal = self._open(killed(self.journal, here, self._tmp_path / f"life{self._number}"))


@pytest.fixture
async def lives(open_journal: Open, tmp_path: Path) -> Lives:
    """Give a journal with ten messages that can die."""
    lives = Lives(open_journal, tmp_path)
    fill(lives.journal, range(10))
    return lives


async def test_those_inside_run_are_alone_afterwards(lives: Lives) -> None:
    """The others are scored together as before."""
    lives.die([2, 3, 4], "Fatal Python error: Aborted")
    assert [each.seq for each in await all_of(lives.journal, 10) if each.alone] == [2, 3, 4]


async def test_a_crash_in_company_condemns_nobody(lives: Lives) -> None:
    """However often: only one that was alone can be to blame."""
    for _ in range(4):
        lives.die([2, 3], "Fatal Python error: Aborted")
    assert not any(each.condemned for each in await all_of(lives.journal, 10))


async def test_two_crashes_alone_condemn(lives: Lives) -> None:
    """The first may have been chance."""
    lives.die([2, 3], "Aborted")
    lives.die([3], "Aborted")
    assert not any(each.condemned for each in await all_of(lives.journal, 10))
    lives.die([3], "Aborted")
    assert [each.seq for each in await all_of(lives.journal, 10) if each.condemned] == [3]


async def test_a_kill_from_outside_is_no_crash(lives: Lives) -> None:
    """It takes five of one message that was alone each time: then something kills it that leaves no trace."""
    for _ in range(4):
        lives.die([3])
    assert not any(each.condemned for each in await all_of(lives.journal, 10))
    lives.die([3])
    (condemned,) = [each for each in await all_of(lives.journal, 10) if each.condemned]
    assert condemned.seq == 3
    assert "only this message" in condemned.condemned


async def test_what_is_done_is_no_suspect_any_more(lives: Lives) -> None:
    """In memory and in the file; a clean end leaves none either."""
    lives.die([1, 2], "Aborted")
    taken = await all_of(lives.journal, 10)
    await lives.journal.done([taken[0].seq])
    lives.die([], "")
    assert [each.seq for each in await all_of(lives.journal, 9) if each.alone] == [2]
    assert lives.journal._reader.execute("SELECT seq FROM suspects").fetchall() == [(2,)]


@pytest.mark.parametrize(("before", "condemned"), [("", False), (HUNG, True), ("Fatal Python error: Aborted\n", True)])
async def test_only_a_hang_and_a_native_crash_count_as_explained(lives: Lives, before: str, condemned: bool) -> None:
    """A SIGHUP from outside leaves all stacks too; the watcher says beforehand that run() hangs."""
    for _ in range(2):
        lives.leave(f"{before}Thread 0x1 (most recent call first):\n  File score.py, line 3 in run\n")
        lives.die([3])
    assert any(each.condemned for each in await all_of(lives.journal, 10)) is condemned


async def test_a_native_crash_leaves_its_stack_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Python writes it from the signal itself; the next start says it and knows who was inside."""
    program = """
import asyncio, os, sys
from pathlib import Path
from module.journal import Journal
from module.messages import InputMessage
async def main():
    journal = Journal(Path(sys.argv[1]))
    journal.offer([InputMessage(b"1", "in", {"message_id": "m0"})])
    journal.running([1])
    os.abort()
asyncio.run(main())
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    assert await ended.wait() == -6
    journal = Journal(tmp_path)
    assert "line 10 in main" in caplog.text
    (suspect,) = await all_of(journal, 1)
    assert suspect.alone
    assert ids([suspect]) == [0]
    await journal.release()
