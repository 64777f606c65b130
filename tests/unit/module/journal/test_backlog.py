"""What memory knows of the journal: where the file and what is kept in memory meet, nothing is given twice or never."""

from module.journal.backlog import Backlog
from module.messages import Accepted, InputMessage


def accepted(seq: int) -> Accepted:
    return Accepted(seq, InputMessage(b"12345", "in"), 0.0)


def given(backlog: Backlog) -> list[int]:
    return [each.seq for each in backlog.take(100)]


def test_what_follows_is_kept_in_memory() -> None:
    """Nothing has to be read from the file then."""
    backlog = Backlog({})
    for seq in (1, 2, 3):
        backlog.add(accepted(seq), 9)
    assert (given(backlog), backlog.unread(), len(backlog), backlog.bytes) == ([1, 2, 3], None, 3, 27)


def test_a_gap_is_read_from_the_file() -> None:
    """Somebody else may have put messages in; and numbers go on where the last life ended."""
    backlog = Backlog({})
    backlog.add(accepted(7), 9)
    assert (given(backlog), backlog.unread()) == ([], (0, 7))
    backlog.read([accepted(6), accepted(7)], 7, {6, 7})
    backlog.add(accepted(8), 9)
    assert (given(backlog), backlog.unread()) == ([6, 7, 8], None)


def test_what_is_read_twice_is_given_once() -> None:
    """A taker may ask for a look into the file while another one is under way."""
    backlog = Backlog({4: 9, 5: 9})
    backlog.read([accepted(4), accepted(5)], 5, {4, 5})
    backlog.read([accepted(4), accepted(5)], 5, {4, 5})
    assert given(backlog) == [4, 5]


def test_what_comes_during_a_look_into_the_file_is_not_skipped() -> None:
    """It is read next time, also when the look found nothing."""
    backlog = Backlog({4: 9})
    backlog.add(accepted(5), 9)
    backlog.read([], 4, {4})
    assert (given(backlog), backlog.unread()) == ([], (4, 5))


def test_what_is_removed_makes_room() -> None:
    """In number and in bytes; what is not there is no matter."""
    backlog = Backlog({1: 400, 2: 500})
    assert backlog.room([100], 3, 1000, 10_000) == 1
    assert backlog.room([101], 3, 1000, 10_000) == 0
    assert backlog.room([1], 2, 1000, 10_000) == 0
    backlog.remove([1, 99])
    assert backlog.room([101], 2, 1000, 10_000) == 1
    assert backlog.room([2000], 2, 1000, 10_000) == 0
    backlog.remove([2])
    assert backlog.room([2000], 2, 1000, 10_000) == 1


def test_of_a_group_the_first_ones_may_come() -> None:
    """As many as fit, in number and in bytes, and none behind the first that does not."""
    backlog = Backlog({1: 400})
    assert backlog.room([100] * 5, 4, 1000, 10_000) == 3
    assert backlog.room([300, 300, 300, 1], 9, 1000, 10_000) == 2
    assert Backlog({}).room([2000, 1], 9, 1000, 10_000) == 1
    assert Backlog({}).room([300] * 5, 9, 9000, 1000) == 3
    assert Backlog({1: 400}).room([2000, 1], 9, 9000, 1000) == 1


def test_what_the_file_has_no_more_is_forgotten() -> None:
    """A damaged file may lose a row without a word: it must not take up room for ever."""
    backlog = Backlog({2: 9, 3: 9, 4: 9, 5: 9})
    assert backlog.read([accepted(2)], 4, {2, 4}) == [3]
    assert (len(backlog), backlog.bytes, given(backlog), backlog.unread()) == (3, 27, [2], (4, 5))
    assert backlog.read([], 5, ()) == [5]
