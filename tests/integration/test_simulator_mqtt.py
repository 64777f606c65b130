"""The hub as a client sees it that acks when it likes, and real paho."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import paho.mqtt.client as paho
import pytest
from addresses import free_address
from simulator_client import EVENTS, INPUTS, TOPICS, Client, telemetry, token, until

from module.errors import SettingsError
from module.messages import InputMessage
from module.packaging.manifest.edge_manifest import RouteSpec
from module.property_bag import decode_bag
from module.simulator.edge_hub.dispatch import RoutingResult
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.edge_hub.packets import PubAck
from module.simulator.routing.messages import RoutedMessage

INTO_OURS = 'INTO BrokeredEndpoint("/modules/scoring/inputs/amlInput")'

Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Give a function that starts a hub, stopped after the test."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> EdgeHub:
            return await stack.enter_async_context(EdgeHub(listen=free_address(), **settings))

        yield begin


async def test_one_unacked_message_at_a_time_over_all_inputs(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        for number, name in enumerate(("a", "b", "a")):
            await hub.send_telemetry(InputMessage(b"%d" % number, name))
        for number, name in enumerate(("a", "b", "a")):
            packet = await client.input()
            assert (packet.body, packet.dup) == (b"%d" % number, False)
            assert packet.topic.startswith(f"{TOPICS}/inputs/{name}/")
            assert await client.hears_nothing()
            client.ack(packet)


async def test_an_input_carries_all_properties(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        await hub.send_telemetry(telemetry(1, **{"site &": "Ulm/1"}))
        topic, bag = (await client.input()).topic.rsplit("/", 1)
        assert topic == f"{TOPICS}/inputs/amlInput"
        found = dict(decode_bag(bag))
        assert found.pop("$.ctime").endswith("Z")
        assert found == {
            "$.cdid": "leaf-device",
            "$.mid": "m1",
            "$.ct": "application/json",
            "$.ce": "utf-8",
            "site &": "Ulm/1",
        }


async def test_without_an_ack_it_comes_again_marked_as_duplicate(start: Start) -> None:
    hub = await start(ack_timeout=0.1)
    async with Client(hub) as client:
        await hub.send_telemetry(telemetry(1))
        first = await client.input()
        again = await client.input()
        assert (again.packet_id, again.body, again.dup) == (first.packet_id, first.body, True)


async def test_after_a_reconnect_the_unacked_comes_first_right_after_connack(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        assert not client.session_present
        for number in range(3):
            await hub.send_telemetry(telemetry(number))
        await client.input()
    await hub.disconnected.wait()
    async with Client(hub) as client:
        assert client.session_present
        for number in range(3):
            packet = await client.input()
            assert (packet.body, packet.dup) == (b'{"n": %d}' % number, number == 0)
            client.ack(packet)


async def test_a_clean_session_has_to_subscribe_again(start: Start) -> None:
    hub = await start()
    async with Client(hub):
        pass
    async with Client(hub, clean=True, listen=False) as client:
        assert not client.session_present
        await hub.send_telemetry(telemetry(1))
        assert await client.hears_nothing()
        assert await client.subscribe(INPUTS, "$iothub/twin/res/#", "devices/other/#") == [1, 1, 0x80]
        await client.input()


async def test_unsubscribed_inputs_wait(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        client.write(0xA2, b"\x00\x02" + len(INPUTS).to_bytes(2, "big") + INPUTS.encode())
        assert await client.reader.readexactly(4) == b"\xb0\x02\x00\x02"
        await hub.send_telemetry(telemetry(1))
        assert await client.hears_nothing()
        await client.subscribe(INPUTS)
        await client.input()


async def test_more_in_flight_if_asked(start: Start) -> None:
    hub = await start(max_in_flight=3)
    async with Client(hub) as client:
        for number in range(5):
            await hub.send_telemetry(telemetry(number))
        for _ in range(3):
            await client.input()
        assert await client.hears_nothing()


async def test_routes_have_priorities_and_a_time_to_live(start: Start) -> None:
    routes = {
        "urgent": RouteSpec(f"FROM /messages/* WHERE kind = 'urgent' {INTO_OURS}", 0),
        "short": RouteSpec(f"FROM /messages/* WHERE kind = 'short' {INTO_OURS}", 5, 1),
        "rest": RouteSpec(f"FROM /messages/* WHERE kind = 'rest' {INTO_OURS}"),
    }
    hub = await start(routes=routes)
    for number, kind in enumerate(("rest", "short", "urgent", "other")):
        result = await hub.send_telemetry(telemetry(number, kind=kind))
        assert (result is RoutingResult.UNROUTED) == (kind == "other")
    await asyncio.sleep(1.05)
    async with Client(hub) as client:
        for number in (2, 0):
            packet = await client.input()
            assert packet.body == b'{"n": %d}' % number
            client.ack(packet)
        assert await client.hears_nothing()
    assert hub.session.expired == 1


async def test_outputs_are_routed_then_acked_and_without_a_route_acked_all_the_same(start: Start) -> None:
    upstream: list[RoutedMessage] = []
    routes = {"up": RouteSpec("FROM /messages/modules/scoring/outputs/out INTO $upstream")}
    hub = await start(routes=routes, on_upstream=upstream.append)
    async with Client(hub) as client:
        client.publish(f"{EVENTS}%24.on=out&%24.mid=x", b"1", packet_id=7)
        client.publish(f"{EVENTS}%24.on=nowhere", b"2", packet_id=8)
        assert [await client.receive(), await client.receive()] == [PubAck(7), PubAck(8)]
    assert [(message.body, message.system["message_id"]) for message in upstream] == [(b"1", "x")]
    assert (hub.counts.outputs, hub.counts.upstream, hub.counts.no_route) == (2, 1, 1)


async def test_an_output_may_be_an_input_again(start: Start) -> None:
    into = 'INTO BrokeredEndpoint("/modules/scoring/inputs/again")'
    hub = await start(routes={"loop": RouteSpec(f"FROM /messages/modules/scoring/outputs/a {into}")})
    async with Client(hub) as client:
        client.publish(f"{EVENTS}%24.on=a&key=value", b"x")
        packets = [await client.receive(), await client.receive()]
        [packet] = [each for each in packets if not isinstance(each, PubAck)]
        assert dict(decode_bag(packet.topic.rsplit("/", 1)[1]))["$.cmid"] == "scoring"


async def test_a_packet_over_the_limit_closes_the_connection(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        client.publish(f"{EVENTS}%24.on=out", b"x" * 262_144)
        assert await client.closed()
    assert hub.counts.outputs == 0


async def test_a_message_that_is_too_large_with_its_properties_is_dropped_but_acked(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        client.publish(f"{EVENTS}%24.on=out", b"x" * (262_144 - 80))
        assert await client.receive() == PubAck(1)
    assert (hub.counts.too_large, hub.counts.upstream) == (1, 0)


async def test_telemetry_over_the_limit_is_refused(start: Start) -> None:
    hub = await start()
    assert await hub.send_telemetry(InputMessage(b"x" * 262_145, "")) is RoutingResult.REFUSED


async def test_properties_that_no_topic_holds_are_refused_and_nothing_else_waits_for_them(start: Start) -> None:
    hub = await start(routes={"loop": RouteSpec(f"FROM /messages/* {INTO_OURS}")})
    async with Client(hub) as client:
        for name, value in (("", "v" * 65_536), ("in", "ä" * 11_000)):
            message = InputMessage(b"", name, properties={"k": value})
            assert await hub.send_telemetry(message) is RoutingResult.REFUSED
        bag = f"{EVENTS}%24.on=out&k="
        client.publish(bag + "v" * (65_500 - len(bag)), b"x")
        assert await client.receive() == PubAck(1)
        assert await hub.send_telemetry(telemetry(1)) is RoutingResult.ROUTED
        assert (await client.input()).body == b'{"n": 1}'
    assert hub.counts.too_large == 1


async def test_only_the_module_with_its_key_gets_in(start: Start) -> None:
    hub = await start()
    async with Client(hub, password="wrong") as client:
        assert client.code == 5
        assert await client.closed()
    async with Client(hub, client_id="edge-device/other") as client:
        assert client.code == 5
    async with Client(hub, password=token(hub, lifetime=-10)) as client:
        assert client.code == 5


async def test_a_connection_ends_with_its_token(start: Start) -> None:
    hub = await start(ack_timeout=0.5, token_grace=0.1)
    async with Client(hub, password=token(hub, lifetime=1.5)) as client:
        assert client.code == 0
        assert await client.closed()
    hub.faults.token_lifetime = 0.2
    async with Client(hub) as client:
        assert await client.closed()


async def test_a_second_connection_ends_the_first(start: Start) -> None:
    hub = await start()
    async with Client(hub) as first, Client(hub) as second:
        assert await first.closed()
        assert hub.connected.is_set()
        await hub.send_telemetry(telemetry(1))
        await second.input()


async def test_a_silent_client_is_closed(start: Start) -> None:
    hub = await start(ack_timeout=0.5)
    async with Client(hub, keep_alive=1) as client:
        assert await client.closed()


async def test_noise_is_closed(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        client.write(0xF0, b"what")
        assert await client.closed()


async def test_pings_are_answered_and_disconnect_ends(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        client.write(0xC0, b"")
        assert await client.reader.readexactly(2) == b"\xd0\x00"
        client.write(0xE0, b"")
        assert await client.closed()
    await asyncio.wait_for(hub.disconnected.wait(), 5)


async def test_faults_refuse_delay_and_withhold(start: Start) -> None:
    hub = await start()
    hub.faults.refuse_connects = 1
    async with Client(hub) as client:
        assert client.code == 3
    async with Client(hub) as client:
        hub.faults.puback_delay = 0.2
        client.publish(f"{EVENTS}%24.on=out", b"x", packet_id=1)
        assert await client.hears_nothing(0.1)
        assert await client.receive() == PubAck(1)
        hub.faults.puback_delay, hub.faults.withhold_pubacks = 0.0, True
        client.publish(f"{EVENTS}%24.on=out", b"x", packet_id=2)
        assert await client.hears_nothing()
    assert hub.counts.upstream == 2


async def test_dropped_connections_and_restarts_keep_the_session(start: Start) -> None:
    hub = await start()
    async with Client(hub) as client:
        await hub.send_telemetry(telemetry(1))
        await client.input()
        hub.drop_connections()
        assert await client.closed()
    async with Client(hub) as client:
        assert (await client.input()).dup
        await hub.restart(away=0.05)
        assert await client.closed()
    async with Client(hub) as client:
        assert client.session_present
        assert (await client.input()).dup


async def test_sending_waits_while_the_queue_is_full(start: Start) -> None:
    hub = await start(queue_bound=4)
    async with Client(hub) as client:
        sending = [asyncio.ensure_future(hub.send_telemetry(telemetry(number))) for number in range(10)]
        await asyncio.sleep(0.1)
        assert hub.session.waiting < 10
        for _ in range(10):
            client.ack(await client.input())
        assert await asyncio.gather(*sending) == [RoutingResult.ROUTED] * 10


async def test_a_taken_port_is_a_sentence(start: Start) -> None:
    hub = await start()
    address = hub.environment["IOTEDGE_GATEWAYHOSTNAME"]
    with pytest.raises(SettingsError, match=f"port 8883 of {address} is taken"):
        async with EdgeHub(listen=address):
            pass


async def test_real_paho_gets_every_message_once_and_in_order(start: Start) -> None:
    hub = await start()
    received: list[bytes] = []
    client = paho.Client(client_id="edge-device/scoring", clean_session=False)
    client.username_pw_set("hub/edge-device/scoring/?api-version=2019-10-01", token(hub))
    client.tls_set_context(ssl.create_default_context(cadata=hub.trust_bundle))
    client.on_connect = lambda *_: client.subscribe(INPUTS, 1)
    client.on_message = lambda *found: received.append(found[2].payload)
    await asyncio.to_thread(client.connect, hub.environment["IOTEDGE_GATEWAYHOSTNAME"], 8883)
    client.loop_start()
    try:
        for number in range(300):
            await hub.send_telemetry(telemetry(number))
        await until(lambda: hub.session.acked == 300)
    finally:
        await asyncio.to_thread(client.loop_stop)
    assert received == [b'{"n": %d}' % number for number in range(300)]
