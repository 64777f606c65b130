"""Which output answers which message, also if ids are reused or missing."""

from hypothesis import given
from hypothesis import strategies as st

from module.simulator.ledger import Ledger


def ledger(*ids: tuple[str, str]) -> Ledger:
    made = Ledger()
    for message_id, correlation_id in ids:
        made.delivered(made.expect(message_id, correlation_id), 1.0)
    return made


def test_an_output_answers_by_its_own_id() -> None:
    found = ledger(("a", ""), ("b", ""))
    found.output("out", "a.out.0", "a", 1.5)
    assert (found.answered, found.missing, list(found.latencies)) == (1, 1, [0.5])
    assert found.by_output == {"out": 1}


def test_input_ids_may_have_dots() -> None:
    found = ledger(("a.b.c", ""))
    found.output("out", "a.b.c.out.0", "", 2.0)
    assert found.missing == 0


def test_a_module_that_copies_the_id_is_understood() -> None:
    found = ledger(("a.b.c", ""))
    found.output("out", "a.b.c", "", 2.0)
    assert found.missing == 0


def test_several_outputs_of_one_message_answer_it_once() -> None:
    found = ledger(("a", ""), ("b", ""))
    for output_id in ("a.out.0", "a.out.1", "a.alerts.0"):
        found.output("out", output_id, "a", 2.0)
    assert (found.answered, found.duplicates) == (1, 0)


def test_the_same_output_again_is_a_duplicate() -> None:
    found = ledger(("a", ""))
    found.output("out", "a.out.0", "a", 2.0)
    found.output("out", "a.out.0", "a", 3.0)
    assert (found.answered, found.duplicates, list(found.latencies)) == (1, 1, [1.0])


def test_reused_ids_are_answered_one_after_the_other() -> None:
    found = ledger(("a", ""), ("a", ""), ("a", ""))
    for _ in range(3):
        found.output("out", "a.out.0", "a", 2.0)
    assert (found.missing, found.duplicates) == (0, 0)
    found.output("out", "a.out.0", "a", 2.0)
    assert found.duplicates == 1


def test_a_hashed_output_id_answers_by_correlation_id() -> None:
    found = ledger(("a", ""), ("b", "session"), ("c", "session"))
    found.output("out", "5e884898da28047151d0e56f8dc62927", "a", 2.0)
    assert found.answered == 1
    found.output("out", "6ca13d52ca70c883e0f0bb101e425a89", "session", 2.0)
    assert found.answered == 2
    found.output("out", "c.out.0", "session", 2.0)
    assert (found.missing, found.duplicates) == (0, 0)


def test_messages_without_any_id_are_answered_oldest_first() -> None:
    found = ledger(("", ""), ("", ""))
    found.output("out", "journal-1.out.0", "", 2.0)
    found.output("alerts", "journal-1.alerts.0", "", 2.0)
    assert found.missing == 1
    found.output("out", "journal-2.out.0", "", 2.0)
    assert found.missing == 0
    found.output("out", "journal-2.out.0", "", 2.0)
    assert found.duplicates == 1


def test_outputs_without_any_id_are_counted() -> None:
    found = ledger(("", ""), ("", ""))
    found.output("out", "", "", 2.0)
    found.output("out", "", "", 2.0)
    assert found.missing == 0


def test_a_foreign_output_answers_nobody_who_has_an_id() -> None:
    found = ledger(("a", ""))
    found.output("heartbeat", "x.heartbeat.0", "x", 2.0)
    assert (found.missing, found.duplicates, found.foreign) == (1, 0, 1)


def test_outputs_of_another_run_are_foreign() -> None:
    found = ledger(("a", "session"), ("", ""))
    for output_id, correlation_id in (("a.out.0", "session"), ("journal-1.out.0", ""), ("b", "session")):
        found.output("out", output_id, correlation_id, 2.0)
    assert (found.missing, found.foreign) == (0, 0)
    found.output("out", "journal-2.out.0", "", 2.0)
    found.output("alerts", "journal-2.alerts.0", "", 2.0)
    found.output("alerts", "journal-1.alerts.0", "", 2.0)
    found.output("out", "", "another", 2.0)
    assert (found.foreign, found.duplicates) == (3, 0)


def test_nothing_answers_the_message_that_it_was_said_of_once() -> None:
    found = ledger(("a", ""), ("b", ""), ("c", ""))
    found.output("out", "a.out.0", "a", 2.0)
    for _ in range(2):
        found.answered_with_nothing("none", "b.none.0", "b", 2.0)
    found.answered_with_nothing("none", "x.none.0", "x", 2.0)
    assert (found.nothing, found.missing, found.duplicates) == (1, 1, 0)
    assert found.by_output == {"out": 1}


def test_nothing_and_outputs_take_turns_under_one_id() -> None:
    found = ledger(*[("a", "")] * 4)
    found.output("out", "a.out.0", "a", 2.0)
    found.answered_with_nothing("none", "a.none.0", "a", 2.0)
    found.output("out", "a.out.0", "a", 2.0)
    found.output("alerts", "a.alerts.0", "a", 2.0)
    assert (found.answered, found.nothing, found.by_order) == (3, 1, 3)
    found.answered_with_nothing("none", "a.none.0", "a", 2.0)
    assert (found.answered, found.nothing, found.duplicates) == (4, 2, 0)


def test_nothing_answers_a_message_before_it_was_delivered() -> None:
    found = Ledger()
    found.delivered(found.expect("a", ""), 1.0)
    for ids in (("a", ""), ("b", ""), ("", "session"), ("", "")):
        found.expect(*ids)
    for output_id, correlation_id in (("a", "a"), ("a", "a"), ("b", "b"), ("x", "session"), ("y", "")):
        found.output("out", f"{output_id}.out.0", correlation_id, 2.0)
    assert (found.answered, found.missing) == (1, 4)


def test_an_id_that_only_looks_like_one_of_ours_answers_itself() -> None:
    found = ledger(("m", ""), ("m.1.2", ""))
    found.output("out", "m.1.2", "", 2.0)
    found.output("out", "m.other.0", "", 2.0)
    assert (found.answered, found.missing) == (1, 1)


def test_answers_after_those_of_later_messages_are_out_of_order() -> None:
    found = ledger(("a", ""), ("b", ""), ("c", ""))
    for each in "bac":
        found.output("out", f"{each}.out.0", each, 2.0)
    assert found.out_of_order == 1


def test_only_the_first_delivery_counts() -> None:
    found = Ledger()
    entry = found.expect("a", "")
    found.delivered(entry, 1.0)
    found.delivered(entry, 9.0)
    found.output("out", "a.out.0", "a", 10.0)
    assert (list(found.latencies), found.first_at, found.last_at) == ([9.0], 1.0, 10.0)


@given(st.lists(st.sampled_from(["", "a", "b", "c.d"]), max_size=30), st.randoms())
def test_one_output_for_each_message_leaves_none_missing_in_any_order(ids: list[str], order: object) -> None:
    found = ledger(*((message_id, "") for message_id in ids))
    outputs = [(f"{each or f'journal-{n}'}.out.0", each) for n, each in enumerate(ids)]
    order.shuffle(outputs)  # type: ignore[attr-defined]
    for count, (output_id, correlation_id) in enumerate(outputs, 1):
        found.output("out", output_id, correlation_id, 2.0)
        assert found.answered == count
    assert found.duplicates == 0
