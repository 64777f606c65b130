"""What a message costs in the journal and in the tap, in µs of CPU; side by side in one run, so trust the ratios.

    python benchmarks/journal.py [--messages 10000]

The journal: offer, take and done of 350-byte messages, in both sync modes, against the inbox in memory. The tap: the
same messages received from the local edgeHub, and sent to it, against the stock SDK's own way; hub and module share the
process, so the hub's cost (seen with a client made of bytes) is taken off.
"""

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

from module.inbox import Inbox, MemoryInbox
from module.journal import Journal
from module.messages import InputMessage, OutputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.transports.edge_hub_tap import Tap

BODY = b'{"engine": 1, "sensors": [%s]}' % b", ".join(b"%d.0625" % n for n in range(35))
GROUP = 500


def message(number: int) -> InputMessage:
    system = {"message_id": f"m{number}", "device_id": "leaf", "content_type": "application/json"}
    return InputMessage(BODY, "amlInput", {**system, "content_encoding": "utf-8"}, {"site": "Ulm"})


class Clock:
    """CPU and wall time of this process since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def per(self, count: int) -> tuple[float, float]:
        """Give µs of CPU, and µs that passed, per message."""
        return (time.process_time() - self._cpu) / count * 1e6, (time.perf_counter() - self._wall) / count * 1e6


async def through(inbox: Inbox, count: int) -> tuple[float, float]:
    """Carry messages through an inbox, in groups as they are when batches are full."""
    messages = [message(n) for n in range(count)]
    clock = Clock()
    for start in range(0, count, GROUP):
        for each in messages[start : start + GROUP]:
            assert inbox.offer((each,))
        taken = 0
        while taken < GROUP:
            accepted = await inbox.take(64)
            taken += len(accepted)
            await asyncio.gather(*[inbox.done((each.seq,)) for each in accepted])
    return clock.per(count)


async def journals(count: int) -> None:
    print(f"{'inbox':22} {'µs CPU':>8} {'µs':>8} a message")
    here = Path(tempfile.mkdtemp(prefix="journal-", dir="/var/tmp"))
    memory = await through(MemoryInbox(), count)
    print(f"{'memory':22} {memory[0]:8.1f} {memory[1]:8.1f}")
    for sync in ("normal", "full"):
        journal = Journal(here / sync, sync=sync)  # type: ignore[arg-type]
        cost = await through(journal, count)
        print(f"{'journal, ' + sync:22} {cost[0]:8.1f} {cost[1]:8.1f}")
        await journal.release()


async def backlog(count: int) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        journal = Journal(Path(folder), max_messages=count)
        before, highest = resident(), 0.0
        for n in range(count):
            assert journal.offer((message(n),))
        full = resident()
        taken = 0
        while taken < count:
            accepted = await journal.take(64)
            taken += len(accepted)
            await journal.done([each.seq for each in accepted])
            highest = max(highest, resident())
        size = (Path(folder) / "journal.sqlite3").stat().st_size / (1 << 20)
        print(
            f"\nbacklog of {count:,}: resident {before:.0f} MiB before, {full:.0f} when full, "
            f"{highest:.0f} at most while it drains; file {size:.0f} MiB"
        )
        await journal.release()


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


async def taps(count: int) -> None:
    print(f"\n{'way':22} {'µs CPU':>8} {'messages/s':>11}    hub and module together, an empty message handler")
    for name, measure in (("receive", receive), ("send", send)):
        costs = {}
        for kind in ("stock SDK", "tap"):
            async with EdgeHub(listen="127.0.0.103", routes={}, max_in_flight=100, queue_bound=count + 1) as hub:
                os.environ.update(hub.environment)
                client = await asyncio.to_thread(IoTHubModuleClient.create_from_edge_environment)
                costs[kind] = await measure(hub, client, count, kind == "tap")
                await client.shutdown()
            print(f"{name + ', ' + kind:22} {costs[kind][0]:8.1f} {1e6 / costs[kind][1]:11.0f}")
        print(f"{name + ', ratio':22} {costs['stock SDK'][0] / costs['tap'][0]:8.1f}")


async def receive(hub: EdgeHub, client: Any, count: int, is_tap: bool) -> tuple[float, float]:
    loop, all_there, seen = asyncio.get_running_loop(), asyncio.Event(), 0

    def arrived() -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            loop.call_soon_threadsafe(all_there.set)

    def offer(messages: Sequence[InputMessage], *, maybe_again: bool = False) -> int:
        for _ in messages:
            arrived()
        return len(messages)

    async def on_message(message: Any) -> None:
        arrived()

    if is_tap:
        Tap(client, SimpleNamespace(offer=offer), lambda: None)
    await client.connect()
    for n in range(count):
        await hub.send_telemetry(message(n))
    clock = Clock()
    await asyncio.to_thread(setattr, client, "on_message_received", on_message)  # subscribes: now they come
    await asyncio.wait_for(all_there.wait(), 60)
    return clock.per(count)


async def send(hub: EdgeHub, client: Any, count: int, is_tap: bool) -> tuple[float, float]:
    tap = Tap(client, SimpleNamespace(offer=lambda messages, **_: len(messages)), lambda: None) if is_tap else None
    await client.connect()

    def by_tap(number: int) -> Awaitable[None]:
        system = {"message_id": f"m{number}", "content_type": "application/json", "content_encoding": "utf-8"}
        assert tap is not None
        return tap.publish(OutputMessage(BODY, "amlOutput", system, {"site": "Ulm"}))

    def by_sdk(number: int) -> Awaitable[None]:
        answer = Message(BODY, message_id=f"m{number}", content_encoding="utf-8", content_type="application/json")
        answer.custom_properties["site"] = "Ulm"
        sent: Awaitable[None] = client.send_message_to_output(answer, "amlOutput")
        return sent

    one: Callable[[int], Awaitable[None]] = by_tap if is_tap else by_sdk
    clock = Clock()
    for start in range(0, count, 64):
        await asyncio.gather(*[one(n) for n in range(start, min(start + 64, count))])
    return clock.per(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    asyncio.run(journals(options.messages))
    asyncio.run(backlog(100_000))
    asyncio.run(taps(options.messages))
    os._exit(0)  # the SDK leaves threads


if __name__ == "__main__":
    main()
