"""The unchanged azure-iot-device SDK as the client of the hub."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from addresses import free_address
from azure.iot.device import Message, MethodResponse, exceptions
from azure.iot.device.aio import IoTHubModuleClient
from simulator_client import telemetry, until

from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

Connect = Callable[..., Awaitable[Any]]


@pytest.fixture
def upstream() -> list[RoutedMessage]:
    """Give the list that what reaches $upstream is put in."""
    return []


@pytest.fixture
async def hub(upstream: list[RoutedMessage], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EdgeHub]:
    """Give a hub whose variables are in the environment."""
    hub = EdgeHub(listen=free_address(), desired={"batch": {"maxSize": 8}}, on_upstream=upstream.append)
    async with hub:
        for name, value in hub.environment.items():
            monkeypatch.setenv(name, value)
        yield hub


@pytest.fixture
async def connect(hub: EdgeHub) -> AsyncIterator[Connect]:
    """Give a function that connects a client; the workload API may be called from the hub's own thread."""
    async with AsyncExitStack() as stack:

        async def begin(on_message: Any = None, **settings: Any) -> Any:
            client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1, **settings)
            stack.push_async_callback(client.shutdown)
            await listen(client, "on_message_received", on_message)
            await client.connect()
            return client

        yield begin


async def listen(client: Any, event: str, function: Any) -> None:
    """Set what is called: the SDK subscribes in that moment and waits for the hub, which must be on another thread."""
    if function is not None:
        await asyncio.to_thread(setattr, client, event, function)


async def test_telemetry_comes_in_and_predictions_go_upstream(
    hub: EdgeHub, connect: Connect, upstream: list[RoutedMessage]
) -> None:
    seen: dict[str, Any] = {}

    async def on_message(message: Any) -> None:
        seen[message.message_id] = message
        answer = Message(message.data)
        answer.message_id, answer.correlation_id = f"{message.message_id}.amlOutput.0", message.message_id
        answer.content_type, answer.content_encoding = "application/json", "utf-8"
        answer.custom_properties["model"] = "a b&c"
        await client.send_message_to_output(answer, "amlOutput")

    client = await connect(on_message)
    for number in range(20):
        await hub.send_telemetry(telemetry(number, site="Ulm"))
    await until(lambda: len(upstream) == 20)
    # The SDK runs one handler for each message at the same time: the order of their answers is nobody's promise.
    answers = {message.system["correlation_id"]: message for message in upstream}
    assert sorted(answers) == sorted(seen) == sorted(f"m{number}" for number in range(20))
    first = seen["m0"]
    assert (first.input_name, first.message_id, first.content_type) == ("amlInput", "m0", "application/json")
    assert first.custom_properties["site"] == "Ulm"
    assert first.custom_properties["$.cdid"] == "leaf-device"
    assert answers["m7"].system["output_name"] == "amlOutput"
    assert answers["m7"].properties == {"model": "a b&c"}
    assert answers["m7"].body == b'{"n": 7}'


async def test_the_twin(hub: EdgeHub, connect: Connect) -> None:
    patches: list[Any] = []
    client = await connect()
    await listen(client, "on_twin_desired_properties_patch_received", patches.append)
    twin = await client.get_twin()
    assert twin["desired"] == {"batch": {"maxSize": 8}, "$version": 1}
    await client.patch_twin_reported_properties({"model": {"name": "m", "gone": None}})
    assert hub.twin.reported == {"model": {"name": "m"}}
    hub.set_desired({"batch": {"maxSize": None, "maxDelayMs": 5}})
    await until(lambda: bool(patches))
    assert patches == [{"batch": {"maxSize": None, "maxDelayMs": 5}, "$version": 2}]
    assert (await client.get_twin())["desired"] == {"batch": {"maxDelayMs": 5}, "$version": 2}


@pytest.mark.parametrize("patch", [{"text": "x" * 4097}, {"a.b": 1}, {"list": [None]}])
async def test_reports_over_the_limits_are_refused(hub: EdgeHub, connect: Connect, patch: dict[str, Any]) -> None:
    client = await connect()
    with pytest.raises(exceptions.ClientError) as caught:
        await client.patch_twin_reported_properties(patch)
    assert "400" in repr(caught.value.__cause__)
    assert hub.twin.reported == {}


async def test_direct_methods(hub: EdgeHub, connect: Connect) -> None:
    async def on_method(request: Any) -> None:
        if request.name == "add":
            answer = MethodResponse.create_from_method_request(request, 200, sum(request.payload))
            await client.send_method_response(answer)

    client = await connect()
    assert (await hub.methods.invoke("add", [1, 2])).status == 404
    await listen(client, "on_method_request_received", on_method)
    assert await hub.methods.invoke("add", [1, 2]) == (200, 3)
    assert (await hub.methods.invoke("deaf", limit=0.2)).status == 504


async def test_the_client_comes_back_after_a_restart_and_loses_nothing(hub: EdgeHub, connect: Connect) -> None:
    seen: set[str] = set()

    async def on_message(message: Any) -> None:
        seen.add(message.message_id)

    await connect(on_message)
    for number in range(50):
        await hub.send_telemetry(telemetry(number))
        if number == 25:
            await hub.restart(away=0.2)
    await until(lambda: len(seen) == 50, limit=20)
    assert hub.session.connects == 2


async def test_a_refused_connect_is_a_credential_error(hub: EdgeHub, connect: Connect) -> None:
    hub.faults.refuse_connects, hub.faults.refuse_code = 1, 5
    with pytest.raises(exceptions.CredentialError):
        await connect()
    assert hub.session.connects == 0


async def test_a_failing_workload_api_is_seen(hub: EdgeHub, connect: Connect) -> None:
    hub.faults.workload_failures = 1
    with pytest.raises(OSError, match="failure in IoTEdge"):
        await connect()
    await connect()
    assert hub.session.connects == 1
