"""A module as the SDK's samples have it, but safe: it acks a message when it has answered it, so one follows the other.

It answers every input message with its own body after 10 ms, which a model would take.
"""

import asyncio
import time
from typing import Any

from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient


async def main() -> None:
    client = IoTHubModuleClient.create_from_edge_environment()
    stage = client._mqtt_pipeline._pipeline
    while not hasattr(stage, "transport"):
        stage = stage.next
    paho, loop = stage.transport._mqtt_client, asyncio.get_running_loop()
    todo: asyncio.Queue[tuple[int, str, bytes]] = asyncio.Queue()
    send_puback, on_message, held = paho._send_puback, paho.on_message, set()

    def hold(client_: object, userdata: object, packet: Any) -> None:
        if "/inputs/" in packet.topic:
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
        await asyncio.to_thread(time.sleep, 0.01)
        answer = Message(body, content_type="application/json", content_encoding="utf-8")
        answer.correlation_id = topic.split("mid=")[1].split("&")[0]
        await client.send_message_to_output(answer, "amlOutput")
        held.discard(mid)
        send_puback(mid)


asyncio.run(main())
