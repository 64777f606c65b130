"""The connection to edgeHub is kept alive with a client of the SDK for each; the SDK's calls may hang."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from module.inbox import MemoryInbox
from module.transports import edge_hub
from module.transports.edge_hub import EdgeHub


class Client:
    """A client of the SDK that connects at once."""

    on_message_received: Any = None

    async def connect(self) -> None:
        """Be connected."""

    async def shutdown(self) -> None:
        """Be gone."""


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EdgeHub]:
    """Give a transport that is connected, and connects again without a pause."""
    monkeypatch.setattr(edge_hub, "_PAUSE", 0.01)
    monkeypatch.setattr(edge_hub, "new_client", lambda _: Client())
    monkeypatch.setattr(edge_hub, "Tap", lambda *_, **__: SimpleNamespace(make_room=lambda: None))
    hub = EdgeHub(MemoryInbox(), {}, hub_timeout=5, stall_timeout=5, connected=lambda client: None)
    await hub.start()
    yield hub
    await hub.stop()


async def test_a_new_connection_leaves_the_loops_executor_alone(hub: EdgeHub) -> None:
    """It is the whole process's: what another part has put there stays, and what runs in it goes on."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, "of another part"))
    hub._lost.set()
    async with asyncio.timeout(5):
        while hub.connects < 2:  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.01)
    thread = await asyncio.to_thread(threading.current_thread)
    assert thread.name.startswith("of another part")


async def test_calls_that_hang_keep_no_other_one_waiting(hub: EdgeHub) -> None:
    """The workload API may never answer: no thread that waits for it is needed by anybody else, not even at the end."""
    answers = threading.Event()
    hanging = [asyncio.create_task(asyncio.to_thread(answers.wait, 60)) for _ in range(50)]
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "done") == "done"
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        await asyncio.get_running_loop().shutdown_default_executor()
    answers.set()
    assert all(await asyncio.gather(*hanging))
