"""Packets that no hub sends, to the real SDK: they end a connection at most, never the hearing of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Answers, Module, send
from simulator_client import INPUTS

from module.simulator.edge_hub.connection import Connection
from module.simulator.edge_hub.hub import EdgeHub
from module.transports.mqtt_packets import publish

_INPUT = INPUTS.replace("#", "amlInput/")


def _publish(topic: bytes, header: int = 0x32) -> bytes:
    packet = bytearray(publish("x" * len(topic), b"{}", 9).replace(b"x" * len(topic), topic))
    packet[0] = header
    return bytes(packet)


PACKETS = {
    "topic longer than its packet": b"\x32\x04\xff\xff\x00\x01",
    "input topic longer than its packet": _publish(_INPUT.encode()).replace(b"\x00", b"\x01", 1),
    "QoS 2": _publish(_INPUT.encode(), 0x34),
    "QoS 3": _publish(_INPUT.encode(), 0x36),
    "no UTF-8": _publish(b"\xff\xfe/\xff"),
    "PUBACK of one byte": b"\x40\x01\x00",
    "PUBACK of nothing sent": b"\x40\x02\x7f\xff",
    "SUBACK of nothing": b"\x90\x00",
    "second CONNACK": b"\x20\x02\x00\x00",
    "CONNACK of one byte": b"\x20\x01\x00",
    "twin answer without a status": _publish(b"$iothub/twin/res/abc/?$rid=zz"),
    "twin patch that is no JSON": _publish(b"$iothub/twin/PATCH/properties/desired/?$version=x"),
    "method without a name": _publish(b"$iothub/methods/POST/"),
    "UNSUBACK without an id": b"\xb0\x01\x01",
    "PINGRESP with a body": b"\xd0\x01\x01",
    "a kind that is none": b"\xf0\x00",
}


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Give the hub's connections, the last one last."""
    made: list[Connection] = []
    before = Connection.connection_made

    def connection_made(self: Connection, transport: asyncio.BaseTransport) -> None:
        made.append(self)
        before(self, transport)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    return made


@pytest.fixture
def answers() -> Answers:
    """Give what reaches $upstream."""
    return Answers()


@pytest.fixture
async def hub(answers: Answers) -> AsyncIterator[EdgeHub]:
    """Give a hub with one message in flight."""
    async with EdgeHub(listen=free_address(), on_upstream=answers.take) as hub:
        yield hub


@pytest.mark.parametrize("which", [list(PACKETS)[at : at + 4] for at in range(0, len(PACKETS), 4)])
async def test_a_strange_packet_ends_a_connection_at_most(
    hub: EdgeHub, answers: Answers, connections: list[Connection], tmp_path: Path, which: list[str]
) -> None:
    """While messages come and go: all are answered within seconds, by the same process, and it says what it saw."""
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0) as module:
        await send(hub, range(10))
        await answers.count(10)
        for number, name in enumerate(which, 1):
            transport = connections[-1]._transport
            assert transport is not None
            transport.write(PACKETS[name])
            await send(hub, range(10 * number, 10 * number + 10))
            await answers.count(10 * number + 10, 15)
        assert answers.firsts() == list(range(10 * len(which) + 10))
        assert answers.errors == []
        assert await module.stop() == 0
        assert module.codes == [0]
