"""Packets as they come out of a TLS socket and go into it, in whatever pieces, until the connection ends."""

from ssl import SSLError
from typing import Any

import pytest
from mqtt_line import Line, Room, cut, telemetry

from module.messages import OutputMessage
from module.transports.edge_hub_tap import Tap
from module.transports.mqtt_packets import puback


async def test_what_arrives_together_is_appended_and_acked_together(line: Line, room: Room) -> None:
    """In order; whatever the TLS records hold: several packets, or a part of one."""
    packets = b"".join(telemetry(n, b"%d" % n * n * n) for n in range(1, 21))
    await line.deliver(*[packets[at : at + 100] for at in range(0, len(packets), 100)])
    assert (room.accepted, room.groups) == ([b"%d" % n * n * n for n in range(1, 21)], [20])
    assert line.acked == list(range(1, 21))


async def test_what_arrives_with_the_end_of_the_connection_is_left_to_the_hub(line: Line, room: Room) -> None:
    """Its ack could not be sent any more."""
    await line.deliver(telemetry(1), b"")
    assert (room.accepted, line.paho.ended) == ([], 1)


async def test_a_tls_error_ends_the_connection_and_nothing_else(line: Line) -> None:
    """A record that is no TLS, or a socket that cannot be written."""
    await line.deliver(SSLError("EOF occurred in violation of protocol"))  # type: ignore[arg-type]
    assert line.paho.ended == 1


async def test_what_is_no_mqtt_ends_the_connection(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing behind it can be read."""
    await line.deliver(b"\x30\xff\xff\xff\xff\x01")
    assert line.paho.ended == 1
    assert "no MQTT" in caplog.text


async def test_a_packet_beyond_every_bound_is_not_waited_for(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """Its header alone ends the connection: MQTT would allow 256 MB, all of it in memory."""
    await line.deliver(b"\x30\x80\x80\x80\x01")
    assert line.paho.ended == 1
    assert "a packet of 2,097,152 bytes, of 1,048,576 at most" in caplog.text


async def test_what_does_not_fit_into_the_socket_goes_later(paho: Any, line: Line, tap: Tap) -> None:
    """All of it, in order, with the PUBACKs that were to go with it."""
    line.socket.takes = 0
    tap.publish(OutputMessage(b"x" * 1000, "out"))
    await line.deliver(telemetry(1))
    line.socket.takes = 300
    paho.flush()
    published, ack = cut(line.socket.sent)
    assert published.endswith(b"x" * 1000)
    assert ack == puback(1)


@pytest.mark.parametrize("where", ["loop_read", "loop_misc", "send"])
async def test_whatever_raises_ends_the_connection(paho: Any, line: Line, tap: Tap, where: str) -> None:
    """In paho, in the SDK's callbacks or at the socket: no live socket is left that nobody reads from."""

    def broken(*_: object) -> int:
        raise KeyError("broken")

    ended: list[int] = []
    before = paho.on_disconnect
    paho.on_disconnect = lambda paho, data, code: (ended.append(code), before(paho, data, code))
    setattr(line.socket if where == "send" else paho, where, broken)
    if where == "send":
        paho.loop_read = broken  # it cannot even read the end
    tap.publish(OutputMessage(b"x", "out"))
    if where == "loop_misc":
        tap._line._misc._run()  # type: ignore[attr-defined]
    await line.deliver(telemetry(1, topic="$iothub/twin/res/200/?$rid=1"))
    assert ended == [7]
    assert tap._line._socket is None
    assert not tap._is_alive
    assert line.socket.is_closed or paho.ended
