"""Floor: paho alone, TLS, QoS 1, one thread; every input message goes back at once as an output message."""

import ssl
import sys
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

import paho.mqtt.client as mqtt

address, authority, topics = sys.argv[1:]
versions = getattr(mqtt, "CallbackAPIVersion", None)
client: Any = mqtt.Client(*([versions.VERSION1] if versions else []), client_id="edge/scoring", clean_session=False)
client.tls_set_context(ssl.create_default_context(cafile=authority))
client.max_inflight_messages_set(0)
client.on_connect = lambda *_: client.subscribe(f"{topics}/inputs/#", 1)
client.on_socket_open = lambda _client, _data, socket: socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


def answer(_client: object, _data: object, packet: Any) -> None:
    """Send a message back under its correlation id."""
    number = packet.topic.partition("%24.mid=m")[2].partition("&")[0]
    client.publish(f"{topics}/messages/events/%24.on=amlOutput&%24.cid=m{number}", packet.payload, 1)


client.on_message = answer
client.connect(address, 8883)
client.loop_forever()
