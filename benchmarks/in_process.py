"""No hub, no server: ONNX Runtime alone, and the scoring path from body to body; run on one core by the suite.

``python -m benchmarks.in_process MODEL SECONDS FILE`` writes rows as JSON to standard output.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import onnxruntime
import uvloop

from scoring.batch import BatchLimits
from scoring.batcher import Batcher
from scoring.bodies.codecs import Body
from scoring.errors import ScoringError
from scoring.predictions import Request
from scoring.scoring_thread import ScoringThread
from scoring.scripts.loading import load

from .models import bodies, rows
from .rows import ALONE, PATH, Row, merged

BATCHES = (1, 8, 16, 32, 64, 128, 256)
_ROUNDS = 3


class _Sizes:
    """Counts requests and runs, as the batcher's observer."""

    requests = runs = 0

    def started(self, owners: list[int]) -> None:
        """Nothing to do."""

    def finished(self, size: int, seconds: float) -> None:
        """Count one."""
        self.requests, self.runs = self.requests + size, self.runs + 1

    def stalled(self, why: str, pause: float) -> None:
        """Fail: nothing here can stall."""
        raise RuntimeError(why)


async def timed(once: Callable[[], Awaitable[int]], seconds: float, row: Row) -> Row:
    """Repeat for so long, at least twice, something that gives how many messages it scored."""
    await once()
    count, cpu, began = 0, time.process_time(), time.perf_counter()
    while not count or time.perf_counter() - began < seconds:
        count += await once()
    row.rate = count / (time.perf_counter() - began)
    row.cpu_us = (time.process_time() - cpu) / count * 1e6
    return row


async def floor(model: str, path: Path, batch: int, seconds: float) -> Row:
    """Time ONNX Runtime with arrays that are ready."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    array = rows(model, batch)

    async def once() -> int:
        session.run(None, {"x": array})
        return batch

    return await timed(once, seconds, Row(part="floor", what=ALONE, model=model, load=f"batch {batch}"))


class ScoringPath:
    """The scoring path: decode → batch → run → encode."""

    def __init__(self, folder: Path) -> None:
        """Load a bare model as the module does."""
        self._script = load(folder)
        self._thread = ScoringThread(asyncio.get_running_loop())
        self._sizes = _Sizes()

    async def start(self) -> None:
        """Run init(), which measures what batch size pays."""
        await self._thread.call(self._script.init)
        limits = BatchLimits(max(self._script.max_size, *(model.plan.max_rows for model in self._script.models)))
        self._batcher = Batcher(self._script, self._thread, limits, self._sizes)

    async def wave(self, given: list[Body]) -> int:
        """Score bodies that are all there at once."""
        decode, submit = self._script.decode, self._batcher.submit
        answers = [submit([Request(decode(body))]) for body in given]
        for answer in answers:
            for outcome in await answer:
                assert not isinstance(outcome, ScoringError)
        return len(given)

    async def timed(self, given: list[Body], seconds: float, row: Row) -> Row:
        """Time waves of these bodies."""
        before = self._sizes.requests, self._sizes.runs
        await timed(lambda: self.wave(given), seconds, row)
        row.batch = (self._sizes.requests - before[0]) / (self._sizes.runs - before[1])
        return row


async def main(model: str, seconds: float, path: Path) -> list[Row]:
    """Measure one model, everything in turn in each round."""
    big = model == "resnet50"
    kind = "application/octet-stream" if big else "application/json"
    given = [Body(body, kind, "" if big else "utf-8") for body in bodies(model, 16 if big else 256)]
    found: list[Row] = []
    ours = ScoringPath(path.parent)
    await ours.start()
    for _ in range(_ROUNDS):
        found += [await floor(model, path, batch, seconds) for batch in BATCHES[: 2 if big else None]]
        for load_, waiting in (("one at a time", 1), ("many waiting", len(given))):
            row = Row(part=PATH, what=PATH, model=model, load=load_)
            found.append(await ours.timed(given[:waiting], seconds, row))
    return merged(found)


if __name__ == "__main__":
    done = uvloop.run(main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]).resolve()))
    sys.stdout.buffer.write(msgspec.json.encode(done))
