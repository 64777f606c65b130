"""Bad input through ``replay``, each bad message between good ones, with a real model and a real process."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from command import run

from module.messages import OVERSIZE
from module.routes import MAX_SIZE

GOOD = b'{"x": [1, 2, 3], "unknown": null}'
BAD = {
    "malformed": (b'{"x": [1, 2, 3]', "the body is not JSON: unexpected end of data at byte 15"),
    "trailing comma": (b'{"x": [1, 2, 3,]}', "the body is not JSON: trailing comma is not allowed at byte 14"),
    "not a number": (b'{"x": [1, 2, NaN]}', "the body is not JSON"),
    "empty": (b"", "the body is empty: expected a JSON value at byte 0"),
    "blank": (b"   ", "the body is empty: expected a JSON value at byte 0"),
    "invalid UTF-8": (b'{"x": "\xc3("}', "the body is not UTF-8: invalid continuation byte at byte 7"),
    "half a surrogate": (rb'{"\ud800": 1}', "the body is not JSON"),
    "too deep": (b"[" * 10_000, "the body is not JSON: depth limit exceeded at byte"),
    "wrong field": (b'{"X": [1, 2, 3]}', "the field x is missing (there: X)"),
    "no field": (b"{}", "the field x is missing (there: none)"),
    "a long field": (b'{"%s": 1}' % (b"y" * 200_000), "the field x is missing (there: yyyy"),
    "too short": (b'{"x": [1, 2]}', "the field x has the shape 2: expected 3"),
    "too deep by one": (b'{"x": [[1, 2, 3]]}', "the field x has the shape 1\N{MULTIPLICATION SIGN}3: expected 3"),
    "a scalar": (b"5", "the field x has the shape a single value: expected 3"),
    "ragged": (b'{"x": [1, [2], 3]}', "the field x is ragged"),
    "texts": (b'{"x": ["1", "2", "3"]}', "the field x holds texts: expected numbers"),
    "null": (b'{"x": [1, null, 3]}', "the field x holds null: expected numbers"),
    "an object": (b'{"x": [1, {}, 3]}', "the field x holds a value of type dict: expected numbers"),
    "too large a number": (b'{"x": [1, 1e39, 3]}', "the field x holds a number that is no float32"),
    "a bad row": (b'[[1, 2, 3], {"x": 1}]', "row 1: the field x has the shape a single value: expected 3"),
    "250 KB": (b'{"x": "%s"}' % (b"a" * 249_990), "the field x has the shape a single value: expected 3"),
    "250 KB of numbers": (b'{"x": [%s1]}' % (b"1e15," * 49_998), "the field x has the shape 49999: expected 3"),
    "250 KB of control characters": (b"\x01" * 250_000, "the body is not JSON"),
    "over what a hub takes": (b"[" + b"1," * (OVERSIZE // 2), "the body is not JSON"),
    "an answer over what a hub takes": (
        b"[" + b"[1,2,3]," * 31_000 + b"[1,2,3]]",
        "the prediction is 310",
    ),
}
ROWS = b'[[1, 2, 3], {"x": [0, 0, 0]}]'


@pytest.fixture(scope="module")
def answers(models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Score good, bad, good, bad, …, good with one process; gives its output lines."""
    folder = tmp_path_factory.mktemp("bad input")
    bodies = [GOOD, *[body for bad, _ in BAD.values() for body in (bad, GOOD)], ROWS]
    (folder / "in.jsonl").write_bytes(b"".join(body + b"\n" for body in bodies))
    ended = run("replay", "--scoring-dir", models / "affine", "in.jsonl", "-o", "out.jsonl", cwd=folder)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert b"Traceback" not in ended.stderr
    assert len(ended.stderr) < 20_000  # a device that sends nothing else must not fill the disk
    return [orjson.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]


def test_every_message_is_answered_once_and_in_order(answers: list[dict[str, Any]]) -> None:
    """Good and bad alike."""
    assert [a["system"]["correlation_id"] for a in answers] == [f"replay-{n}" for n in range(1, 2 * len(BAD) + 3)]


def test_the_good_ones_are_all_scored(answers: list[dict[str, Any]]) -> None:
    """Whatever their neighbours in the batch were."""
    good = [*answers[0:-1:2], answers[-1]]
    assert {answer["output"] for answer in good} == {"amlOutput"}
    assert [answer["body"] for answer in good] == [{"y": 6.5}] * (len(BAD) + 1) + [[{"y": 6.5}, {"y": 0.5}]]


def test_no_answer_is_larger_than_can_be_sent(answers: list[dict[str, Any]]) -> None:
    """However large the bad message was: an oversize one would make the connection fail for ever."""
    assert max(len(orjson.dumps(answer["body"])) for answer in answers) <= MAX_SIZE


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_is_answered_on_errors_and_says_why(answers: list[dict[str, Any]], name: str) -> None:
    """The reason names the field, the row or the byte; the original is there, cut if it must be."""
    number = list(BAD).index(name)
    answer, (body, reason) = answers[2 * number + 1], BAD[name]
    assert (answer["output"], answer["properties"]["AzureMLResponse"]) == ("errors", "ERROR")
    assert answer["body"]["error"]["message"].startswith(reason)
    assert len(answer["body"]["error"]["message"]) < 5_000
    original = answer["body"]["original"]
    assert original["system"]["message_id"] == f"replay-{2 * number + 2}"
    assert original["truncated"] is (len(body) > 249_000) or name == "250 KB of numbers"
