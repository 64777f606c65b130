"""kill -9 at random moments: what is lost, what comes twice, whether the order stays.

    python benchmarks/kill.py [--kills 100] [--messages 50000] [--hub simulator|mosquitto|both] [--run-seconds 0.002]

Prints a table; exit code 1 if a message was lost, blamed or out of order.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests" / folder) for folder in ("", "integration")]

from module_process import Answers, Module, send
from mosquitto import HOW_TO_GET_IT, Mosquitto, found

from module.journal.quarantine import quarantined
from module.simulator.edge_hub.hub import EdgeHub


@dataclass
class Row:
    """What one hub saw."""

    hub: str
    kills: int
    messages: int
    lost: int
    duplicates: int
    most: int
    blamed: int
    in_order: bool
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return self.lost == self.blamed == 0 and self.in_order and self.most <= 64


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--hub", choices=["simulator", "mosquitto", "both"], default="both")
    parser.add_argument("--run-seconds", type=float, default=0.002)
    options = parser.parse_args()
    rows = []
    if options.hub != "mosquitto":
        rows.append(await against_simulator(options))
    if options.hub != "simulator":
        rows.append(await against_mosquitto(options)) if found() else print(HOW_TO_GET_IT)
    print(
        f"{'hub':10} {'kills':>5} {'messages':>8} {'lost':>5} {'twice':>6} {'most a kill':>11} {'blamed':>6}  order  s"
    )
    for row in rows:
        order = "kept" if row.in_order else "BROKEN"
        print(
            f"{row.hub:10} {row.kills:5} {row.messages:8} {row.lost:5} {row.duplicates:6} {row.most:11} "
            f"{row.blamed:6}  {order}  {row.seconds:.0f}"
        )
    return 0 if all(row.is_good for row in rows) else 1


async def against_simulator(options: argparse.Namespace) -> Row:
    answers = Answers()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            EdgeHub(listen="127.0.0.101", on_upstream=answers.take) as hub,
            Module(hub.environment, Path(folder), TEST_RUN_SECONDS=options.run_seconds) as module,
        ):
            sending = asyncio.create_task(send(hub, range(options.messages)))
            row = await killed(module, options, "simulator", Path(folder), lambda: answers.predictions)
            await sending
            return row


async def against_mosquitto(options: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Mosquitto("127.0.0.102", folder) as broker:
            with broker.driver() as driver:
                async with Module(broker.environment, folder, TEST_RUN_SECONDS=options.run_seconds) as module:
                    while "ready after" not in module.log:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                    driver.send([b'{"n": %d}' % n for n in range(options.messages)])
                    seen: list[int] = []

                    def answered() -> list[int]:
                        new = driver.outputs[len(seen) :]
                        seen.extend(int(properties["$.cid"][1:]) for properties, _ in new)
                        return seen

                    return await killed(module, options, "mosquitto", folder, answered)


async def killed(
    module: Module, options: argparse.Namespace, hub: str, folder: Path, answered: Callable[[], list[int]]
) -> Row:
    """Kill the module evenly over the messages, each time after some progress and a random wait."""
    began = time.monotonic()
    marks = [0]
    for kill in range(options.kills):
        await progress(answered, max(len(answered()) + 1, kill * options.messages // options.kills))
        await asyncio.sleep(random.expovariate(1 / 0.03))
        await module.kill()
        marks.append(len(answered()))
        await module.start()
    while len(set(answered())) < options.messages and time.monotonic() - began < 1800:
        await asyncio.sleep(0.2)
        if not module.runs:
            break
    await asyncio.sleep(1)
    numbers = answered()
    await module.stop()
    counts = Counter(numbers)
    firsts = list(dict.fromkeys(numbers))
    return Row(
        hub=hub,
        kills=options.kills,
        messages=options.messages,
        lost=options.messages - len(counts),
        duplicates=len(numbers) - len(counts),
        most=max(again(numbers, marks)),
        blamed=len(list(quarantined(folder / "journal"))),
        in_order=firsts == sorted(firsts),
        seconds=time.monotonic() - began,
    )


async def progress(answered: Callable[[], list[int]], count: int) -> None:
    async with asyncio.timeout(60):
        while len(answered()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def again(numbers: list[int], marks: list[int]) -> list[int]:
    """Give how many answers of each life had come before."""
    seen: set[int] = set()
    twice = []
    for begin, end in zip(marks, [*marks[1:], len(numbers)], strict=True):
        life = numbers[begin:end]
        twice.append(sum(number in seen for number in life))
        seen.update(life)
    return twice


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
