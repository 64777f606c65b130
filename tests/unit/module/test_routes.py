"""Which messages leave for an input message, and what they carry."""

import dataclasses
import hashlib
from collections.abc import Sequence
from urllib.parse import quote

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unit_parts import message, reason, value

from module.messages import Accepted, InputMessage, OutputMessage
from module.routes import MAX_SIZE, Routes
from module.transports.mqtt_packets import output_bag, publish
from scoring import NOTHING, Prediction, RequestError
from scoring.compat.aml_response import AMLResponse
from scoring.errors import RunError, ScoringError
from scoring.predictions import Outcome
from scoring.scripts.results import ResultOptions, encoded

ROUTES = Routes({"*": ["amlOutput"], "both": ["a", "b"]}, "errors", "uuid", {"model": "rul", "modelVersion": "3"})
NASTY = [b"\x01", b'"', b"\\", "ä".encode(), "😀".encode(), b"\xff", b"1e15,", b"0.1,", b'"a":', b"[", b"{}", b"x" * 99]


def answers(
    results: Sequence[object], given_: InputMessage | None = None, *, rows: bool = False, routes: Routes = ROUTES
) -> list[OutputMessage]:
    outcomes = [
        each if isinstance(each, ScoringError) else _leaving(each, routes.results, is_row=rows) for each in results
    ]
    return routes.answers(Accepted(5, given_ or message(0, "m1"), 0.0), outcomes, rows=rows).messages


def _leaving(result: object, options: ResultOptions, *, is_row: bool) -> Outcome:
    try:
        return encoded(result, options, is_row=is_row)
    except ScoringError as error:
        return error


def whole_size(answer: OutputMessage) -> int:
    """Give the bytes of an answer on the wire: properties ride in the topic, url-encoded."""
    bag = "&".join(f"{quote(key, safe='')}={quote(text, safe='')}" for key, text in answer.properties.items())
    assert len(bag) < 65_535
    return len(answer.body) + len(bag)


def test_a_prediction_leaves_on_the_outputs_of_its_route() -> None:
    """Input name → outputs, several get copies; ``*`` is every other input."""
    assert [answer.output for answer in answers([1])] == ["amlOutput"]
    copies = answers([1], message(0, "m1", to="both"))
    assert [(copy.output, copy.body, copy.system["message_id"]) for copy in copies] == [
        ("a", b"1", "m1.a.0"),
        ("b", b"1", "m1.b.0"),
    ]


def test_what_an_answer_carries() -> None:
    """The properties of the message that it answers, AzureMLResponse=OK, and which model it was."""
    (answer,) = answers([{"rul": 1.5}], message(0, "m1", room="7", model="theirs"))
    assert value(answer) == {"rul": 1.5}
    assert answer.properties == {"room": "7", "AzureMLResponse": "OK", "model": "rul", "modelVersion": "3"}
    assert answer.system["content_type"] == "application/json"
    assert answer.system["content_encoding"] == "utf-8"


def test_what_the_module_says_of_an_answer_nobody_else_says() -> None:
    """Neither the script nor the module before it, whose prediction was another one."""
    claims = {"AzureMLResponse": "ERROR", "scoringSuspect": "error-result"}
    (answer,) = answers([Prediction(1, properties={**claims, "model": "mine"})], message(0, "m1", **claims))
    assert answer.properties == {"AzureMLResponse": "OK", "model": "mine", "modelVersion": "3"}


def test_identity_and_correlation() -> None:
    """A consumer drops a duplicate by message_id and finds the cause by correlation_id."""
    (plain,) = answers([1])
    assert (plain.system["message_id"], plain.system["correlation_id"]) == ("m1.amlOutput.0", "m1")
    (correlated,) = answers([1], InputMessage(b"0", "in", {"message_id": "m1", "correlation_id": "c"}))
    assert correlated.system["correlation_id"] == "c"
    (nameless,) = answers([1], message(0))
    assert nameless.system["message_id"] == "uuid-5.amlOutput.0"
    assert "correlation_id" not in nameless.system


@pytest.mark.parametrize("length", [116, 117, 128])
def test_an_id_longer_than_128_characters_becomes_its_sha_256(length: int) -> None:
    """IoT Hub takes no longer one; the same input still gives the same id."""
    (answer,) = answers([1], message(0, "m" * length))
    full = f"{'m' * length}.amlOutput.0"
    expected = full if len(full) <= 128 else hashlib.sha256(full.encode()).hexdigest()
    assert answer.system["message_id"] == expected
    assert answer.system["correlation_id"] == "m" * length


def test_a_prediction_may_choose_its_output_and_add_properties() -> None:
    """Several predictions are several messages, counted by output."""
    chosen = [Prediction(1, output="alerts", properties={"level": "high"}), Prediction(2), Prediction(3, "alerts")]
    first, second, third = answers([chosen])
    assert (first.output, second.output, third.output) == ("alerts", "amlOutput", "alerts")
    assert first.properties["level"] == "high"
    assert "level" not in second.properties
    assert [answer.system["message_id"] for answer in (first, second, third)] == [
        "m1.alerts.0",
        "m1.amlOutput.0",
        "m1.alerts.1",
    ]


def test_nothing_is_no_message() -> None:
    """Filtering on the device is what an edge is for."""
    assert answers([NOTHING]) == answers([NOTHING, NOTHING], rows=True) == []


def test_nothing_is_said_where_somebody_wants_to_know() -> None:
    """One message, named as predictions are, so that whoever counts can tell filtered from lost."""
    told = dataclasses.replace(ROUTES, nothing="nothing")
    (said,) = answers([NOTHING], routes=told)
    assert (said.output, said.body, said.properties) == ("nothing", b"null", {"AzureMLResponse": "NOTHING"})
    assert (said.system["message_id"], said.system["correlation_id"]) == ("m1.nothing.0", "m1")
    assert [each.output for each in answers([1], routes=told)] == ["amlOutput"]


def test_rows_are_answered_together_in_order() -> None:
    """One array per output and properties; rows that got NOTHING are left out."""
    outcomes: list[object] = [1, NOTHING, Prediction(2, "alerts"), 3, [Prediction(4, "alerts"), Prediction(5)]]
    assert [(a.output, value(a)) for a in answers(outcomes, rows=True)] == [
        ("amlOutput", [1, 3, 5]),
        ("alerts", [2, 4]),
    ]
    assert [value(a) for a in answers([[1, 2]], rows=True)] == [[[1, 2]]]


def test_one_bad_row_sends_the_whole_message_to_errors() -> None:
    """Naming the first bad row; half an answer would look like a whole one."""
    (answer,) = answers([1, RequestError("x is missing"), RunError("run() failed")], rows=True)
    assert reason(answer) == "row 1: x is missing"


@pytest.mark.parametrize("error", [RequestError("x is missing"), RunError("run() failed"), ScoringError("other")])
def test_an_errors_message_says_what_why_and_which(error: ScoringError) -> None:
    """Output errors, AzureMLResponse=ERROR, and the original to try again with."""
    (answer,) = answers([error], message({"y": 1}, "m1", room="7"))
    assert (answer.output, answer.system["message_id"]) == ("errors", "m1.errors.0")
    assert answer.properties == {"room": "7", "AzureMLResponse": "ERROR"}
    assert value(answer) == {
        "error": {"type": type(error).__name__, "message": str(error), "input": "amlInput"},
        "original": {
            "system": {"message_id": "m1"},
            "properties": {"room": "7"},
            "body": {"y": 1},
            "truncated": False,
        },
    }


def test_a_body_that_is_no_json_is_carried_as_base64() -> None:
    """Byte for byte."""
    (answer,) = answers([RequestError("no")], message(b"\xff{"))
    original = orjson.loads(answer.body)["original"]
    assert (original["base64"], original["truncated"]) == ("/3s=", False)
    assert "body" not in original


def test_a_prediction_that_cannot_be_sent_is_an_error() -> None:
    """No JSON form, or over what the hub takes: never a message that makes the connection fail."""
    assert "a value of type set has no JSON form" in reason(*answers([{1}]))
    (answer,) = answers(["x" * (MAX_SIZE + 1)])
    assert f"at most {MAX_SIZE} can be sent" in reason(answer)
    assert answers([[Prediction(1), Prediction({1})]])[0].output == "errors"


@given(st.binary(max_size=300) | st.builds(lambda chunk, n: chunk * n, st.sampled_from(NASTY), st.integers(0, 50_000)))
@example(b"1e15," * 30_000)
@example(b"[" + b"1e15," * 50_000 + b"1]")
@example(b"[" + b"1e15," * 15_000 + b"1]")
@example(b"\x01" * 90_000)
@example(b"a" * 262_144)
@example(b"null")
def test_an_errors_message_never_exceeds_what_can_be_sent(body: bytes) -> None:
    """250 KB and valid JSON, whatever the body was; a cut one says so."""
    (answer,) = answers([RequestError("x is missing")], message(body[:262_144], "m1"))
    assert whole_size(answer) <= MAX_SIZE
    original = orjson.loads(answer.body)["original"]
    assert original["truncated"] or original.keys() & {"body", "base64"}


@pytest.mark.parametrize("text", ["x", "ä", "\x01", "😀"])
@pytest.mark.parametrize("length", [1_000, 100_000, 262_144])
def test_a_long_reason_is_cut_like_a_long_body(text: str, length: int) -> None:
    """A reason may quote the message: the field that is missing, the value that is wrong."""
    (answer,) = answers([RequestError(text * (length // len(text.encode())))], message({"y": 1}, "m1"))
    assert whole_size(answer) <= MAX_SIZE
    assert value(answer)["error"]["type"] == "RequestError"  # type: ignore[index]


@pytest.mark.parametrize("text", ["x", "ä", "\x01"])
def test_large_properties_leave_room_too(text: str) -> None:
    """They travel twice: on the errors message and in its body."""
    many = {f"{n}": text * 1_000 for n in range(120)}
    (answer,) = answers([RequestError("x is missing")], InputMessage(b"{}", "in", {"message_id": "m1"}, many))
    assert whole_size(answer) <= MAX_SIZE


def test_a_reason_with_half_a_surrogate_pair_is_still_an_answer() -> None:
    """JSON text may decode to one in a script, and a script may quote it."""
    (answer,) = answers([RequestError("unknown device \ud800")])
    assert reason(answer).startswith("unknown device ")


@pytest.mark.parametrize("text", ["x" * 70_000, "/" * 30_000, "ä" * 20_000])
@pytest.mark.parametrize("where", ["correlation_id", "message_id", "property", "output", "content type"])
def test_every_answer_fits_into_a_topic(where: str, text: str) -> None:
    """What is too long for MQTT could never be confirmed, and its message never be finished."""
    system = {where: text} if where.endswith("_id") else {}
    given_ = InputMessage(b"0", "amlInput", {"message_id": "m1", **system}, {"p": text} if where == "property" else {})
    result = Prediction(1, output=text) if where == "output" else 1
    if where == "content type":
        result = AMLResponse("x", 200, {"Content-Type": text})  # type: ignore[assignment]
    (answer,) = answers([result], given_)
    publish(f"devices/{'d' * 128}/modules/{'m' * 128}/messages/events/{output_bag(answer)}", answer.body, 1)
    assert len(answer.body) <= MAX_SIZE
    if where == "output":
        assert answer.output == "errors"


def test_an_error_without_text_is_an_error() -> None:
    """``raise RequestError()``: its message was not scored, whatever it says of the reason."""
    given_ = Accepted(5, message(0, "m1"), 0.0)
    messages, error, is_nothing = ROUTES.answers(given_, [RequestError()], rows=False)
    assert [each.output for each in messages] == ["errors"]
    assert isinstance(error, RequestError)
    assert not is_nothing
