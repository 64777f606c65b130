"""The property bag: a message's properties ride in its MQTT topic, url-encoded, under edgeHub's names.

Sources: edgeHub `SystemProperties.cs`, `ProtocolGatewayMessageConverter.cs`, the SDK's `mqtt_topic_iothub.py`.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

SYSTEM_PROPERTIES = {
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
"""Name in the topic → our name, of the system properties that the module reads."""

SENDER = frozenset({"device_id", "module_id"})
"""System properties that only the hub writes: who sent the message."""

MAX_BAG = 60_000
"""Bytes of url-encoded properties at most; MQTT's topics end at 65,535, and system properties ride there too."""

_SHORT = 64
"""Characters of a property that comes again and again, at most: only those are remembered."""


def decode_bag(bag: str) -> list[tuple[str, str]]:
    """Decode ``key=value&key=value``, both url-encoded; a key without a value has an empty one."""
    return [_read(pair) if len(pair) <= _SHORT else _split(pair) for pair in bag.strip("/").split("&") if pair]


def encode_bag(properties: Mapping[str, str]) -> str:
    """Encode properties as ``decode_bag`` reads them."""
    return "&".join(
        [
            f"{_quoted(key)}={_quoted(value) if len(value) <= _SHORT else quote(value, safe='')}"
            for key, value in properties.items()
        ]
    )


def bag_size(properties: Mapping[str, str]) -> int:
    """Give the bytes that properties take in the topic."""
    return sum(_size(name) + _size(text) + 2 for name, text in properties.items())


def fitting(properties: Mapping[str, str], room: int) -> dict[str, str]:
    """Give the first properties, as far as they take ``room`` bytes at most."""
    kept: dict[str, str] = {}
    for name, text in properties.items():
        room -= _size(name) + _size(text) + 2
        if room < 0:
            break
        kept[name] = text
    return kept


def _size(text: str) -> int:
    return len(quote(text, safe=""))


def _split(pair: str) -> tuple[str, str]:
    key, _, value = pair.partition("=")
    return unquote(key), unquote(value)


_read = lru_cache(1024)(_split)


@lru_cache(1024)
def _quoted(text: str) -> str:
    return quote(text, safe="")
