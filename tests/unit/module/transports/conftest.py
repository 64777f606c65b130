"""A tap with both of its sides."""

import asyncio
from functools import partial
from typing import Any

import pytest
from mqtt_line import Line, Paho, Room, sdk_client

from module.transports.edge_hub_tap import Tap


@pytest.fixture
def room() -> Room:
    """Give an inbox."""
    return Room()


@pytest.fixture
def paho() -> Any:
    """Give a paho."""
    return Paho()


@pytest.fixture
async def tap(paho: Any, room: Room, monkeypatch: pytest.MonkeyPatch) -> Tap:
    """Give a tap between the two, connected."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "add_reader", lambda _, *read: setattr(paho, "read", partial(*read)))
    monkeypatch.setattr(loop, "add_writer", lambda _, *write: setattr(paho, "flush", partial(*write)))
    monkeypatch.setattr(loop, "remove_reader", lambda _: None)
    monkeypatch.setattr(loop, "remove_writer", lambda _: None)
    tap = Tap(sdk_client(paho), room, lambda: None)
    paho.loop_start()
    return tap


@pytest.fixture
def line(paho: Any, tap: Tap) -> Line:
    """Give the other side."""
    return Line(paho)
