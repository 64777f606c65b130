"""edgeHub's MQTT topics, the module's side of them: properties ride in the topic as a url-encoded bag.

Source: iotedge ``edge-hub`` topic templates and the SDK's ``mqtt_topic_iothub.py``.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from ..messages import InputMessage, OutputMessage

_WIRE = {
    "$.mid": "message_id",
    "$.cid": "correlation_id",
    "$.uid": "user_id",
    "$.ct": "content_type",
    "$.ce": "content_encoding",
    "$.ctime": "creation_time",
    "$.exp": "expiry_time",
    "$.cdid": "device_id",
    "$.cmid": "module_id",
}
_SENT = {name: key for key, name in _WIRE.items() if key not in ("$.cdid", "$.cmid")}

_SHORT = 64
"""Characters of a property that comes again and again, at most: only those are remembered."""


def input_message(topic: str, body: bytes) -> InputMessage:
    """Read ``devices/{device}/modules/{module}/inputs/{input}/{properties}``; system properties get long names."""
    parts = topic.split("/", 6)
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    for pair in parts[6].strip("/").split("&") if len(parts) > 6 else ():
        key, value = _read(pair) if len(pair) <= _SHORT else _split(pair)
        if key.startswith("$."):
            if key in _WIRE:
                system[_WIRE[key]] = value
        elif key:
            properties[key] = value
    return InputMessage(body, _unquoted(parts[5]), system, properties)


def output_bag(message: OutputMessage) -> str:
    """Give the property bag that follows ``devices/{device}/modules/{module}/messages/events/``."""
    system = {_SENT[name]: value for name, value in message.system.items() if name in _SENT}
    return _encoded({"$.on": message.output, **system}, message.properties)


def _encoded(*bags: Mapping[str, str]) -> str:
    return "&".join([_pair(key, value) for bag in bags for key, value in bag.items()])


def _pair(key: str, value: str) -> str:
    return f"{_quoted(key)}={_quoted(value) if len(value) <= _SHORT else quote(value, safe='')}"


def _split(pair: str) -> tuple[str, str]:
    key, _, value = pair.partition("=")
    return unquote(key), unquote(value)


_read = lru_cache(1024)(_split)
_unquoted = lru_cache(1024)(unquote)


@lru_cache(1024)
def _quoted(text: str) -> str:
    return quote(text, safe="")
