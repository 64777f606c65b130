"""Real parts for the unit tests: scripts made from functions, and the pipeline between an inbox and memory."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from module.inbox import MemoryInbox
from module.messages import InputMessage, OutputMessage
from module.operating.metrics import Metrics
from module.pipeline import Pipeline
from module.routes import Routes
from scoring.batch import BatchLimits, batched
from scoring.batcher import Batcher
from scoring.bodies.codecs import decode_json
from scoring.errors import ScoringError
from scoring.predictions import NOTHING, Context, Outcome, Request
from scoring.scoring_thread import ScoringThread
from scoring.scripts.answering import Answering
from scoring.scripts.kinds.batched import Batched
from scoring.scripts.kinds.run_function import read_run
from scoring.scripts.loading import Script
from scoring.scripts.results import ResultOptions

HERE = Path(__file__).parent
Run = Callable[[list[object]], object]


def batched_script(run: Run, *, bisect: bool = True, options: ResultOptions | None = None) -> Script:
    """Give the script that a score.py with ``@batched(bisect=…) def run`` loads as."""

    @batched(bisect=bisect)
    def marked(requests: list[object]) -> object:
        return run(requests)

    kind = Batched(read_run(marked, HERE), answering(run, options))
    return Script("batched", Path("score.py"), lambda: None, kind.score, decode_json, rows=True, max_size=64)


def answering(run: Run, options: ResultOptions | None = None) -> Answering:
    """Give what makes outcomes of what a run() in the tests gives and raises."""
    return Answering(run, HERE, options or ResultOptions())


def requests(given: Iterable[object]) -> list[Request]:
    """Give requests with these values."""
    return [Request(value) for value in given]


def scored(script: Script | Run, given: Iterable[object], *, bisect: bool = True) -> list[Any]:
    """Score values in one batch, by a script or a run(); gives what values() gives."""
    script = script if isinstance(script, Script) else batched_script(script, bisect=bisect)
    context = Context() if script.wants_context else None
    return values(script.score([Request(each, context) for each in given]))


def values(outcomes: Iterable[Outcome]) -> list[Any]:
    """Give the JSON value that leaves for each request, its error, or NOTHING; what leaves itself if it is several."""
    return [_value(outcome) for outcome in outcomes]


def _value(outcome: Outcome) -> object:
    if isinstance(outcome, ScoringError) or len(outcome) > 1:
        return outcome
    return json.loads(outcome[0].body) if outcome else NOTHING  # which keeps integers of any length


def message(body: object, identity: str = "", *, to: str = "amlInput", **properties: str) -> InputMessage:
    """Give an input message: bytes as they are, anything else as JSON; without ``identity`` it has no message id."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return InputMessage(content, to, {"message_id": identity} if identity else {}, properties)


@dataclass
class Seen:
    """Keeps what the batcher says of every run(): whose requests were in it, and how many."""

    owners: list[list[int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def stalled(self, why: str, pause: float) -> None:
        """Keep how long is waited."""
        assert why
        self.pauses.append(pause)

    def started(self, owners: list[int]) -> None:
        """Keep whose requests are about to run."""
        self.owners.append(owners)

    def finished(self, size: int, seconds: float) -> None:
        """Keep the size of a batch."""
        assert seconds >= 0
        self.sizes.append(size)


class Memory:
    """Keeps what was published; confirms at once, or when told to.

    Attributes:
        published: every message in order.
        unconfirmed: futures of those not confirmed yet, when ``confirm`` is False.
    """

    def __init__(self, *, confirm: bool = True) -> None:
        self.published: list[OutputMessage] = []
        self.unconfirmed: list[asyncio.Future[None]] = []
        self._confirm = confirm

    def publish(self, message: OutputMessage) -> asyncio.Future[None]:
        """Keep a message."""
        self.published.append(message)
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._confirm:
            confirmation.set_result(None)
        else:
            self.unconfirmed.append(confirmation)
        return confirmation


@dataclass
class Line:
    """A pipeline at work: what stands at its two ends."""

    inbox: MemoryInbox
    memory: Memory
    metrics: Metrics
    pipeline: Pipeline
    thread: ScoringThread
    seen: Seen

    def offer(self, messages: Iterable[InputMessage]) -> None:
        """Offer messages that must find room."""
        for each in messages:
            assert self.inbox.offer([each]) == 1

    async def end(self, serving: asyncio.Task[None] | None = None) -> list[OutputMessage]:
        """Close the inbox, wait until the pipeline is through, give what it published."""
        self.inbox.close()
        async with asyncio.timeout(30):
            await (serving or self.pipeline.serve())
        self.thread.stop()
        return self.memory.published


def line(
    script: Script,
    *,
    limits: BatchLimits | None = None,
    confirm: bool = True,
    read_ahead: int = 128,
    max_unconfirmed: int = 64,
    rows: bool = True,
    routes: dict[str, list[str]] | None = None,
    inbox: MemoryInbox | None = None,
) -> Line:
    """Put a pipeline together as the runtime does, between an inbox and a list."""
    inbox, metrics, seen = inbox or MemoryInbox(), Metrics({}), Seen()
    thread = ScoringThread(asyncio.get_running_loop())
    memory = Memory(confirm=confirm)
    pipeline = Pipeline(
        inbox=inbox,
        batcher=Batcher(script, thread, limits or BatchLimits(), seen),
        routes=Routes(routes or {"*": ["amlOutput"]}, "errors", inbox.uuid),
        publish=memory.publish,
        metrics=metrics,
        read_ahead=read_ahead,
        max_unconfirmed=max_unconfirmed,
        rows=rows,
    )
    return Line(inbox, memory, metrics, pipeline, thread, seen)


async def carry(
    script: Script,
    messages: Sequence[InputMessage],
    *,
    limits: BatchLimits | None = None,
    rows: bool = True,
    routes: dict[str, list[str]] | None = None,
) -> list[OutputMessage]:
    """Carry messages through a pipeline of their own; gives what was published."""
    through = line(script, limits=limits, rows=rows, routes=routes)
    through.offer(messages)
    return await through.end()


def value(answer: OutputMessage) -> object:
    """Give the JSON value of an answer's body."""
    return orjson.loads(answer.body)


def reason(answer: OutputMessage) -> str:
    """Give the sentence of an errors message."""
    assert answer.output == "errors"
    sentence: str = orjson.loads(answer.body)["error"]["message"]
    return sentence


def samples(metrics: Metrics) -> dict[str, float]:
    """Give every sample of the metrics page by its name, as the metrics collector would parse it."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {sample.name: sample.value for family in families for sample in family.samples}
