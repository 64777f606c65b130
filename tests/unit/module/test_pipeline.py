"""The way of a message, on real parts: memory inbox, batcher, scoring thread, routes, a list."""

import asyncio
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct
from unit_parts import Line, batched_script, carry, line, message, reason, samples, value

from module.errors import UnsendableError
from module.inbox import MemoryInbox
from module.messages import Accepted, OutputMessage
from scoring import NOTHING, Prediction, RequestError
from scoring.batch import BatchLimits
from scoring.bodies.codecs import Body
from scoring.errors import RunError

KINDS = ("good", "raises", "refused", "not json", "nothing", "two", "no form")


def run(requests: list[object]) -> list[object]:
    """Double numbers; do to every other request what it says."""
    answers: dict[object, object] = {"nothing": NOTHING, "two": [Prediction(1), Prediction(2)], "no form": {1}}
    for request in requests:
        if request == "raises":
            raise ValueError("bad")
        if request == "refused":
            raise RequestError("x is missing")
    return [2 * r if isinstance(r, int) else answers[r] for r in requests]


def expected(identity: str, kind: str) -> list[str]:
    if kind in ("good", "two"):
        return [f"{identity}.amlOutput.{n}" for n in range(1 if kind == "good" else 2)]
    return [] if kind == "nothing" else [f"{identity}.errors.0"]


def ids(answers: list[OutputMessage]) -> list[str]:
    return [answer.system["message_id"] for answer in answers]


async def offer(through: Line, bodies: list[object]) -> None:
    """Offer messages while others are under way, as transports do."""
    for n, body in enumerate(bodies):
        through.offer([message(body, f"m{n}")])
        await asyncio.sleep(0)


@given(st.lists(st.sampled_from(KINDS), max_size=60), st.integers(1, 9), st.sampled_from([0.0, 0.002]), st.booleans())
def test_every_message_gets_its_own_answer_in_order(
    kinds: list[str], max_size: int, max_delay: float, several_a_turn: bool
) -> None:
    """Bisected, refused, undecodable, split or filtered: none lost, none doubled, none overtaken, all done."""
    script = batched_script(run)
    if not several_a_turn:
        one = script.score
        script = replace(script, score=lambda requests: one(requests[:1]))
    bodies: list[object] = [n if k == "good" else b"{" if k == "not json" else k for n, k in enumerate(kinds)]

    async def through() -> None:
        at_work = line(script, limits=BatchLimits(max_size, max_delay), read_ahead=2 * max_size, max_unconfirmed=4)
        serving = asyncio.create_task(at_work.pipeline.serve())
        await offer(at_work, bodies)
        published = await at_work.end(serving)
        assert ids(published) == [identity for n, k in enumerate(kinds) for identity in expected(f"m{n}", k)]
        assert [value(a) for a in published if a.output == "amlOutput"] == [
            answer for n, k in enumerate(kinds) for answer in ([2 * n] if k == "good" else [1, 2] if k == "two" else [])
        ]
        assert at_work.inbox.waiting() == 0
        errors = sum(k in ("raises", "refused", "not json", "no form") for k in kinds)
        counted = samples(at_work.metrics)
        assert counted["scoring_received_total"] == counted["scoring_answered_total"] == len(kinds)
        assert counted["scoring_published_total"] == len(published)
        assert (counted["scoring_errors_total"], counted["scoring_nothing_total"]) == (errors, kinds.count("nothing"))

    asyncio.run(through())


@given(st.lists(st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=30), max_size=12), st.integers(1, 8))
def test_rows_are_split_over_batches_and_rejoined(bodies: list[list[list[int]]], max_size: int) -> None:
    """A message's rows come back together, in order, whatever batches they ran in; a bad one is named."""

    def sums(requests: list[object]) -> list[object]:
        if any(request == [9] for request in requests):
            raise RequestError("nine is too much")
        return [sum(request) for request in requests]  # type: ignore[call-overload]

    messages = [message(body, f"m{n}") for n, body in enumerate(bodies)]
    answers = asyncio.run(carry(batched_script(sums), messages, limits=BatchLimits(max_size)))
    assert len(answers) == len(bodies)
    for body, answer in zip(bodies, answers, strict=True):
        if [9] in body:
            assert reason(answer) == f"row {body.index([9])}: nine is too much"
        else:
            assert value(answer) == [sum(row) for row in body] if body else value(answer) == 0


async def test_with_rows_off_an_array_is_one_request() -> None:
    """SCORING_ROWS=message: the whole body, whatever it is."""
    (answer,) = await carry(batched_script(lambda requests: [len(requests[0])]), [message([[1], [2]])], rows=False)  # type: ignore[arg-type]
    assert value(answer) == 2


async def test_run_is_never_concurrent() -> None:
    """One scoring thread; scripts keep their state in globals."""
    inside, most, threads = 0, 0, set()

    def slow(requests: list[object]) -> list[object]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threads.add(threading.current_thread().name)
        threading.Event().wait(0.001)
        inside -= 1
        return requests

    await carry(batched_script(slow), [message(n) for n in range(50)], limits=BatchLimits(3))
    assert (most, threads) == (1, {"scoring"})


async def test_while_a_batch_runs_the_next_one_fills() -> None:
    """Messages that come one by one leave in batches, without any waiting for company."""
    entered, go_on = threading.Event(), threading.Event()

    def held(requests: list[object]) -> list[object]:
        entered.set()
        assert go_on.wait(10)
        return requests

    through = line(batched_script(held))
    serving = asyncio.create_task(through.pipeline.serve())
    through.offer([message(0)])
    await asyncio.to_thread(entered.wait, 10)
    through.offer([message(n) for n in range(1, 33)])
    await asyncio.sleep(0.02)
    go_on.set()
    await through.end(serving)
    assert through.seen.sizes == [1, 32]
    assert through.seen.owners == [[1], list(range(2, 34))]


async def test_done_comes_last() -> None:
    """A message is forgotten when all of its answers are confirmed, and not before."""
    through = line(batched_script(run), confirm=False)
    through.offer([message("two", "m0"), message(3, "m1"), message("raises", "m2")])
    serving = asyncio.create_task(through.pipeline.serve())
    await asyncio.sleep(0.05)
    confirmations = through.memory.unconfirmed
    assert (len(confirmations), through.inbox.waiting()) == (4, 3)
    left = []
    for confirmation in confirmations:
        confirmation.set_result(None)
        await asyncio.sleep(0.01)
        left.append(through.inbox.waiting())
    assert left == [3, 2, 1, 0]
    await through.end(serving)


async def test_outputs_without_confirmation_are_bounded() -> None:
    """That many duplicates a crash can make; one message's answers may exceed it only alone."""
    through = line(batched_script(run), confirm=False, max_unconfirmed=3)
    through.offer([message(n) for n in range(5)] + [message("two"), message("two")])
    serving = asyncio.create_task(through.pipeline.serve())
    seen = []
    for confirmed in range(9):
        await asyncio.sleep(0.01)
        seen.append(len(through.memory.published) - confirmed)
        through.memory.unconfirmed[confirmed].set_result(None)
    assert max(seen) == 3
    assert len(await through.end(serving)) == 9


async def test_reading_ahead_is_bounded() -> None:
    """While run() takes its time messages wait in the inbox, not decoded in memory."""
    go_on, decoded = threading.Event(), list[Body]()
    script = batched_script(lambda requests: requests if go_on.wait(10) else None)
    decode = script.decode

    def counted(body: Body) -> object:
        decoded.append(body)
        return decode(body)

    through = line(replace(script, decode=counted), read_ahead=4, limits=BatchLimits(2))
    through.offer(message(n) for n in range(100))
    serving = asyncio.create_task(through.pipeline.serve())
    await asyncio.sleep(0.05)
    assert len(decoded) <= 4 + 2  # one on its way into the queue, one out of it
    go_on.set()
    assert len(await through.end(serving)) == 100


async def test_an_answer_that_no_connection_can_carry_is_given_up() -> None:
    """Its message is done, into the quarantine, and counted as an error; the messages behind it go on."""
    through = line(batched_script(run), confirm=False)
    through.offer([message(1), message(2)])
    serving = asyncio.create_task(through.pipeline.serve())
    await asyncio.sleep(0.02)
    first, second = through.memory.unconfirmed
    first.set_exception(UnsendableError("its topic is too long"))
    second.set_result(None)
    await through.end(serving)
    assert through.inbox.waiting() == 0
    assert samples(through.metrics)["scoring_errors_total"] == 1


async def test_a_condemned_message_is_answered_without_running() -> None:
    """What killed the process twice goes to the errors output; run() never sees it again."""

    class Condemning(MemoryInbox):
        async def take(self, count: int) -> list[Accepted]:
            return [a if a.seq != 2 else replace_struct(a, condemned="it killed it") for a in await super().take(count)]

    through = line(batched_script(run), inbox=Condemning())
    through.offer(message(n, f"m{n}") for n in range(3))
    answers = await through.end()
    assert through.seen.owners == [[1, 3]]
    assert ids(answers) == ["m0.amlOutput.0", "m1.errors.0", "m2.amlOutput.0"]
    assert reason(answers[1]) == "it killed it"


async def test_routes_by_input() -> None:
    """Each input its own outputs; copies to several."""
    routes = {"a": ["x", "y"], "*": ["z"]}
    answers = await carry(batched_script(run), [message(1, "m", to="a"), message(2, "n", to="b")], routes=routes)
    assert [(a.output, value(a)) for a in answers] == [("x", 2), ("y", 2), ("z", 4)]


async def test_bad_input_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A device that sends nothing else must not fill the disk; the user's own frames come with it."""
    await carry(batched_script(run), [message("raises"), message(b"{"), *[message("raises")] * 50])
    failed, malformed = caplog.messages
    assert "the errors output: run() failed: test_pipeline.py line " in failed.splitlines()[0]
    assert 'raise ValueError("bad")' in failed
    assert malformed.startswith("a message went to the errors output: the body is not JSON: ")


async def test_no_prediction_brings_the_pipeline_down() -> None:
    """Whatever run() gives, its message is answered and the next one too."""
    odd: list[object] = [object(), {1, 2}, b"x", "\ud800", 2**70, float("nan"), RunError("given, not raised"), [[]], {}]
    script = batched_script(lambda requests: [odd[int(str(n))] for n in requests])
    answers = await carry(script, [message(n) for n in range(9)])
    refused = {0, 1, 6}
    assert [answer.output for answer in answers] == ["errors" if n in refused else "amlOutput" for n in range(9)]
