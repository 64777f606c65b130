"""kill -9 at random moments: what is lost, what comes twice, whether the order stays.

    python benchmarks/kill.py [--kills 100] [--messages 50000] [--hub simulator|mosquitto|both] [--run-seconds 0.002]

Prints a table; exit code 1 if a message was lost, blamed or out of order.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))

from kills import UNCONFIRMED, cost, kill_at_random
from module_process import Answers, Module, send
from mosquitto import HOW_TO_GET_IT, Mosquitto, Outputs, found
from simulator_client import until

from module.journal.quarantine import quarantined
from module.simulator.edge_hub.hub import EdgeHub

_LINE = "{:10} {:>5} {:>8} {:>5} {:>6} {:>11} {:>6}  {}  {}"
_PAUSE = 0.03
_PATIENCE = 1800.0


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--hub", choices=["simulator", "mosquitto", "both"], default="both")
    parser.add_argument("--run-seconds", type=float, default=0.002)
    options = parser.parse_args()
    hubs = {"simulator": against_simulator, "mosquitto": against_mosquitto}
    chosen = [name for name in hubs if options.hub in (name, "both")]
    if "mosquitto" in chosen and not found():
        print(HOW_TO_GET_IT)
        chosen.remove("mosquitto")
    rows = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            rows.append((name, *await hubs[name](options, Path(folder))))
    print(_LINE.format("hub", "kills", "messages", "lost", "twice", "most a kill", "blamed", "order", "s"))
    for name, lost, twice, most, in_order, blamed, seconds in rows:
        order = "kept" if in_order else "BROKEN"
        print(_LINE.format(name, options.kills, options.messages, lost, twice, most, blamed, order, f"{seconds:.0f}"))
    return any(lost or blamed or not in_order or most > UNCONFIRMED for _, lost, _, most, in_order, blamed, _ in rows)


async def against_simulator(options: argparse.Namespace, folder: Path) -> tuple[float, ...]:
    answers = Answers()
    async with EdgeHub(listen="127.0.0.101", on_upstream=answers.take) as hub:
        return await killed(
            options, folder, hub.environment, lambda: answers.predictions, lambda _: send(hub, range(options.messages))
        )


async def against_mosquitto(options: argparse.Namespace, folder: Path) -> tuple[float, ...]:
    outputs = Outputs()

    async def sending(module: Module) -> None:
        while "ready after" not in module.log:  # noqa: ASYNC110 - what is sent before it subscribes is nobody's
            await asyncio.sleep(0.05)
        for number in range(options.messages):
            driver.send(number, b'{"n": %d}' % number)

    async with Mosquitto("127.0.0.102", folder) as broker, broker.driver(outputs.take) as driver:
        return await killed(options, folder, broker.environment, lambda: outputs.answered, sending)


async def killed(
    options: argparse.Namespace,
    folder: Path,
    environment: dict[str, str],
    answered: Callable[[], Sequence[int]],
    sending: Callable[[Module], Awaitable[None]],
) -> tuple[float, ...]:
    """Kill the module evenly over the messages; give the cost, how many messages were blamed, and the seconds."""
    count = options.messages
    async with Module(environment, folder, TEST_RUN_SECONDS=options.run_seconds) as module:
        sent = asyncio.ensure_future(sending(module))
        began = time.monotonic()
        lives = await kill_at_random(module, answered, options.kills, pause=_PAUSE, every=count // options.kills)
        await sent
        with suppress(TimeoutError):
            await until(lambda: not module.runs or len(set(answered())) == count, _PATIENCE)
        await asyncio.sleep(1)
        numbers = answered()
        await module.stop()
    return *cost(numbers, count, lives), len(list(quarantined(folder / "journal"))), time.monotonic() - began


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
