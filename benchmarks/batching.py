"""What journal-then-ack is for: a hub with one message in flight, a script that takes 10 ms a batch, two ways to ack.

    python benchmarks/batching.py [--messages 4000]

Ours against a module that scores in the SDK's way and acks after scoring: one message after the other. Both are
processes of their own on a local edgeHub each, one after the other in one run.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests" / folder) for folder in ("", "integration")]

from module_process import Answers, Module, send

from module.simulator.edge_hub.hub import EdgeHub

ACK_AFTER_SCORING = """
import asyncio, time
from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment()
    stage = client._mqtt_pipeline._pipeline
    while not hasattr(stage, "transport"):
        stage = stage.next
    paho, loop, todo = stage.transport._mqtt_client, asyncio.get_running_loop(), asyncio.Queue()
    send_puback, is_input = paho._send_puback, lambda topic: "/inputs/" in topic
    on_message, held = paho.on_message, set()

    def hold(client_, userdata, packet):
        if is_input(packet.topic):
            held.add(packet.mid)
            loop.call_soon_threadsafe(todo.put_nowait, (packet.mid, packet.topic, packet.payload))
        else:
            on_message(client_, userdata, packet)

    paho.on_message = hold
    paho._send_puback = lambda mid: 0 if mid in held else send_puback(mid)
    await client.connect()
    await asyncio.to_thread(setattr, client, "on_message_received", lambda message: None)
    while True:
        mid, topic, body = await todo.get()
        await asyncio.to_thread(time.sleep, 0.01)  # the model
        answer = Message(body, content_type="application/json", content_encoding="utf-8")
        answer.correlation_id = topic.split("mid=")[1].split("&")[0]
        await client.send_message_to_output(answer, "amlOutput")
        held.discard(mid)
        send_puback(mid)

asyncio.run(main())
"""


async def ours(count: int) -> tuple[float, float]:
    """Give messages a second, and the mean batch."""
    answers = Answers()
    async with EdgeHub(listen="127.0.0.104", on_upstream=answers.take, queue_bound=count + 1) as hub:
        with tempfile.TemporaryDirectory() as folder:
            async with Module(hub.environment, Path(folder), TEST_RUN_SECONDS=0.01) as module:
                rate = await measured(hub, answers, count)
                runs = await module.metric("scoring_run_seconds_count")
                return rate, await module.metric("scoring_batch_size_sum") / max(runs, 1)


async def ack_after_scoring(count: int) -> float:
    """Give messages a second."""
    answers = Answers()
    async with EdgeHub(listen="127.0.0.105", on_upstream=answers.take, queue_bound=count + 1) as hub:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", ACK_AFTER_SCORING, env=hub.environment)
        try:
            return await measured(hub, answers, count)
        finally:
            process.kill()
            await process.wait()


async def measured(hub: EdgeHub, answers: Answers, count: int) -> float:
    await hub.connected.wait()
    await send(hub, range(count))
    while not answers.predictions:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    began, first = time.perf_counter(), len(answers.predictions)
    async with asyncio.timeout(90):
        while len(answers.predictions) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return (count - first) / (time.perf_counter() - began)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    count = parser.parse_args().messages
    single = await ack_after_scoring(count // 20)
    rate, mean = await ours(count)
    print(f"{'way':20} {'messages/s':>11} {'mean batch':>11}")
    print(f"{'ack after scoring':20} {single:11.0f} {1:11.1f}")
    print(f"{'journal, then ack':20} {rate:11.0f} {mean:11.1f}")
    print(f"{'ratio':20} {rate / single:11.1f}")


if __name__ == "__main__":
    asyncio.run(main())
