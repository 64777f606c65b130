"""The judges see each thing that can be wrong: a story is told right once, then wrong in one way at a time."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from . import oracle, verdict
from .bodies import Input
from .hub import Delivery, Output, Record
from .verdict import Story


def told(count: int = 5) -> Story:
    """Give a story in which everything is right."""
    inputs, record = [], Record(connections=1, ends=[9.0])
    for tag in range(count):
        value = {"n": tag, "values": [tag, 2], "text": "", "x": [1, 2, 3]}
        system = {"message_id": f"m{tag}"}
        given = Input(tag, "plain", value, json.dumps(value).encode(), system, {"chaos": str(tag)})
        inputs.append(given)
        record.deliveries.append([Delivery(tag / 10, 1, tag / 10)])
        record.outputs.append(answer(given, at=1 + tag / 10))
    return Story("batched", inputs, record)


def answer(given: Input, at: float) -> Output:
    """Give the right output."""
    ((right,),) = oracle.answers("batched", given)
    system = {"$.mid": oracle.message_id(given, "amlOutput", 0), "$.cid": given.message_id, "$.on": "amlOutput"}
    body = (right.body or "").encode()
    properties = {**given.properties, "AzureMLResponse": "OK"}
    return Output("amlOutput", body, system, properties, connection=1, at=at, confirmed=at)


def changed(story: Story, place: int, **more: object) -> None:
    """Change one output."""
    story.record.outputs[place] = replace(story.record.outputs[place], **more)  # type: ignore[arg-type]


def _lose(story: Story) -> None:
    del story.record.outputs[2]


def _invent(story: Story) -> None:
    story.record.outputs.append(replace(story.record.outputs[0], properties={"AzureMLResponse": "OK"}))


def _alter(story: Story) -> None:
    changed(story, 1, body=story.record.outputs[1].body.replace(b"3", b"4"))


def _swap(story: Story) -> None:
    outputs = story.record.outputs
    outputs[1], outputs[2] = outputs[2], outputs[1]


def _answer_again_under_another_id(story: Story) -> None:
    again = story.record.outputs[1]
    story.record.outputs.append(replace(again, system={**again.system, "$.mid": "m1.amlOutput.1"}))


def _answer_again_with_another_body(story: Story) -> None:
    story.record.outputs.append(replace(story.record.outputs[1], body=b"{}"))


def _answer_again_though_confirmed(story: Story) -> None:
    story.record.outputs.append(replace(story.record.outputs[1], at=60.0))


def _answer_too_often(story: Story) -> None:
    story.record.outputs += [replace(story.record.outputs[1], at=9.5)] * 65
    story.ends = [1.2]


def _blame(story: Story) -> None:
    changed(story, 0, output="errors", properties={"chaos": "0", "AzureMLResponse": "ERROR"})


def _drop_a_property(story: Story) -> None:
    given = replace(story.inputs[3], properties={"chaos": "3", "line": "7"})
    story.inputs[3] = given


def _wrong_correlation(story: Story) -> None:
    changed(story, 3, system={**story.record.outputs[3].system, "$.cid": "another"})


WRONGS: dict[str, Callable[[Story], None]] = {
    "lost": _lose,
    "invented": _invent,
    "wrong answer": _alter,
    "out of order": _swap,
    "wrong answer: input 1": _answer_again_under_another_id,
    "altered": _answer_again_with_another_body,
    "answered twice": _answer_again_though_confirmed,
    "65 duplicates": _answer_too_often,
    "wrong answer: input 0": _blame,
    "altered: input 3 (plain): properties": _drop_a_property,
    "altered: input 3 (plain): correlation": _wrong_correlation,
}


def test_what_is_right_is_right() -> None:
    assert verdict.judge(told()).violations == []


@pytest.mark.parametrize("said", WRONGS)
def test_what_is_wrong_is_said(said: str) -> None:
    story = told()
    WRONGS[said](story)
    assert any(said in each for each in verdict.judge(story).violations)


def test_equal_messages_on_one_connection_are_answered_each() -> None:
    """Two equal messages that came once each on one connection are two; the second on a later one may be the first."""
    story = told()
    story.inputs.append(story.inputs[4])
    story.record.deliveries.append([Delivery(0.5, 1, 0.5)])
    assert any("lost" in each for each in verdict.judge(story).violations)
    story.record.deliveries[-1] = [Delivery(10.0, 2, 10.0)]
    assert verdict.judge(story).violations == []


def test_what_the_module_admits_is_no_violation() -> None:
    """After damage, lost messages must be admitted; without damage nothing may be lost at all."""
    story = told()
    _lose(story)
    story.damaged = True
    assert any("admitted 0" in each for each in verdict.judge(story).violations)
    story.admitted = 1
    assert verdict.judge(story).violations == []
