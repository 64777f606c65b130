"""The crash record survives the process that wrote it."""

from pathlib import Path

import pytest

from module.journal.crash_record import MOST, CrashRecord


def test_it_says_what_was_running_and_waiting(tmp_path: Path) -> None:
    """Without any closing: plain stores into mapped memory."""
    record = CrashRecord(tmp_path / "note")
    record.begin(5, 2)
    record.running([3, 4])
    record.accepted(7, 2)
    record.finished(1)
    after = CrashRecord(tmp_path / "note")
    assert (after.left, after.last_seq, after.waited) == ([3, 4], 7, 3)


def test_it_says_nothing_after_a_clean_end(tmp_path: Path) -> None:
    """What is inside run() at a stop is no suspect; later calls of a batch that ends late write nothing."""
    record = CrashRecord(tmp_path / "note")
    record.begin(0, 0)
    record.running([1])
    record.close()
    record.running([2])
    assert CrashRecord(tmp_path / "note").left == []


def test_a_failed_deletion_is_taken_back(tmp_path: Path) -> None:
    """The count of what waits never says more than there is."""
    record = CrashRecord(tmp_path / "note")
    record.begin(9, 9)
    record.finished(4)
    record.finished(-4)
    assert CrashRecord(tmp_path / "note").waited == 9


def test_a_batch_larger_than_the_record_is_cut(tmp_path: Path) -> None:
    """The rest is named after the next death."""
    record = CrashRecord(tmp_path / "note")
    record.begin(0, 0)
    record.running(range(2 * MOST))
    assert CrashRecord(tmp_path / "note").left == list(range(MOST))


@pytest.mark.parametrize("content", [b"", b"x" * 50_000, b"\xff" * 100, b"run1" + b"\xff" * 8000])
def test_garbage_says_nothing(tmp_path: Path, content: bytes) -> None:
    """A torn or foreign file is no reason not to start, and condemns nobody."""
    (tmp_path / "note").write_bytes(content)
    record = CrashRecord(tmp_path / "note")
    assert (record.left, record.last_seq, record.waited) == ([], 0, 0)


def test_its_space_is_there_before_it_is_written(tmp_path: Path) -> None:
    """A store into a hole of a file kills the process when the disk is full."""
    CrashRecord(tmp_path / "note")
    status = (tmp_path / "note").stat()
    assert status.st_blocks * 512 >= status.st_size
