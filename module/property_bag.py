"""How large a message's properties are on the wire: they ride in the MQTT topic, url-encoded."""

from collections.abc import Mapping
from urllib.parse import quote

MAX_BAG = 60_000
"""Bytes of url-encoded properties at most; MQTT's topics end at 65,535, and system properties ride there too."""


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
