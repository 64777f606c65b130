"""The MQTT codec: any cut of the stream gives the same packets, and nothing grows without bound."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module.simulator.edge_hub import packets
from module.simulator.edge_hub.packets import (
    Connect,
    Decoder,
    Disconnect,
    Packet,
    ProtocolError,
    PubAck,
    Subscribe,
)
from module.transports.mqtt_packets import Publish, puback, publish

CONNECT = bytes.fromhex("101d00044d51545404c2003c0003612f620005782f612f620005746f6b656e")
STREAM = (
    CONNECT
    + bytes.fromhex("820a0007 0005612f622f2301")
    + publish("t/x", b"body" * 100, 9, dup=True)
    + bytes.fromhex("300500017a6869")
    + puback(513)
    + bytes.fromhex("a2090008 0005612f622f23")
    + bytes.fromhex("c000 e000")
)
PACKETS: list[Packet] = [
    Connect("a/b", "x/a/b", "token", clean_session=True, keep_alive=60, level=4),
    Subscribe(7, [("a/b/#", 1)]),
    Publish("t/x", b"body" * 100, 9, dup=True),
    Publish("z", b"hi"),
    PubAck(513),
    packets.Unsubscribe(8, ["a/b/#"]),
    packets.PingRequest(),
    Disconnect(),
]


def test_decodes_every_packet_of_a_client() -> None:
    assert Decoder(1000).feed(STREAM) == PACKETS


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cut_gives_the_same_packets(cuts: list[int]) -> None:
    decoder, found = Decoder(1000), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        found += decoder.feed(STREAM[start:end])
    assert found == PACKETS


@given(st.binary(max_size=200))
def test_noise_is_a_protocol_error_or_nothing(noise: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Decoder(100).feed(noise)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384])
def test_lengths_of_all_sizes(size: int) -> None:
    [packet] = Decoder(20_000).feed(publish("t", b"x" * size, 1))
    assert packet == Publish("t", b"x" * size, 1)


def test_a_packet_over_the_limit_is_refused_before_it_is_there() -> None:
    with pytest.raises(ProtocolError, match="a packet of 262,145 bytes, of 262,144 at most"):
        Decoder(262_144).feed(bytes.fromhex("30818010"))


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("30ffffffff01"),  # five length bytes
        bytes.fromhex("340500017a0001"),  # QoS 2
        bytes.fromhex("20020000"),  # CONNACK from a client
        bytes.fromhex("30020005"),  # text longer than the packet
        bytes.fromhex("400100"),  # PUBACK of one byte
        CONNECT.replace(b"MQTT", b"MQIs"),
        bytes.fromhex("30030001ff"),  # not UTF-8
    ],
)
def test_malformed_packets_are_protocol_errors(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder(1000).feed(data)


def test_answers() -> None:
    assert packets.connack(0, session_present=True) == b"\x20\x02\x01\x00"
    assert packets.connack(5) == b"\x20\x02\x00\x05"
    assert packets.suback(3, [1, packets.SUBACK_FAILURE]) == b"\x90\x04\x00\x03\x01\x80"
    assert packets.unsuback(4) == b"\xb0\x02\x00\x04"
