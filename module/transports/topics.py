"""edgeHub's MQTT topics, the module's side of them: properties ride in the topic as a url-encoded bag.

Source: iotedge ``edge-hub`` topic templates and the SDK's ``mqtt_topic_iothub.py``.
"""

from functools import lru_cache
from urllib.parse import unquote

from ..messages import InputMessage, OutputMessage
from ..property_bag import SENDER, SYSTEM_PROPERTIES, decode_bag, encode_bag

_SENT = {name: key for key, name in SYSTEM_PROPERTIES.items() if name not in SENDER}
_unquoted = lru_cache(1024)(unquote)


def input_message(topic: str, body: bytes) -> InputMessage:
    """Read ``devices/{device}/modules/{module}/inputs/{input}/{properties}``; system properties get long names."""
    parts = topic.split("/", 6)
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    for key, value in decode_bag(parts[6]) if len(parts) > 6 else ():
        if key.startswith("$."):
            if key in SYSTEM_PROPERTIES:
                system[SYSTEM_PROPERTIES[key]] = value
        elif key:
            properties[key] = value
    return InputMessage(body, _unquoted(parts[5]), system, properties)


def output_bag(message: OutputMessage) -> str:
    """Give the property bag that follows ``devices/{device}/modules/{module}/messages/events/``."""
    system = {_SENT[name]: value for name, value in message.system.items() if name in _SENT}
    return encode_bag({"$.on": message.output, **system, **message.properties})
