"""The HTTP server for /metrics, /livez, /readyz and the status page, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from addresses import free_port

from module.errors import SettingsError
from module.operating import health
from module.operating.health import Health
from module.operating.metrics import Metrics
from module.operating.status import Status


@pytest.fixture
def status() -> Status:
    """Give what the module says of itself."""
    return Status(facts={"script": "<score.py>"})


@pytest.fixture
async def port(status: Status) -> AsyncIterator[int]:
    """Give the port of a server."""
    server, number = Health(Metrics({}), status), free_port()
    await server.start(number)
    yield number
    await server.stop()


async def ask(port: int, request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Send bytes; gives status line, headers and body of the answer, empty if the connection just ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return line, dict(each.lower().split(": ", 1) for each in lines), body


async def get(port: int, path: str) -> tuple[str, dict[str, str], bytes]:
    return await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def test_ready_only_when_it_is(port: int, status: Status) -> None:
    """503 with the reason, then 200."""
    line, _, body = await get(port, "/readyz")
    assert (line, body) == ("HTTP/1.1 503 Service Unavailable", b"starting\n")
    status.not_ready = ""
    line, _, body = await get(port, "/readyz?verbose")
    assert (line, body) == ("HTTP/1.1 200 OK", b"ready\n")


async def test_alive_while_the_loop_turns(port: int) -> None:
    """Ready or not."""
    assert (await get(port, "/livez"))[::2] == ("HTTP/1.1 200 OK", b"alive\n")


async def test_metrics_are_plain_text_0_0_4(port: int) -> None:
    """As the metrics collector reads it."""
    line, headers, body = await get(port, "/metrics")
    assert (line, int(headers["content-length"])) == ("HTTP/1.1 200 OK", len(body))
    assert "version=0.0.4" in headers["content-type"]
    assert b"scoring_received_total" in body


async def test_the_status_page_shows_the_facts(port: int) -> None:
    """Escaped: a path or a reason may hold anything."""
    _, headers, body = await get(port, "/")
    assert headers["content-type"].startswith("text/html")
    assert b"&lt;score.py&gt;" in body
    assert b"starting" in body


async def test_head_is_get_without_a_body(port: int) -> None:
    """Its length is told all the same."""
    line, headers, body = await ask(port, b"HEAD /livez HTTP/1.1\r\n\r\n")
    assert (line, headers["content-length"], body) == ("HTTP/1.1 200 OK", "6", b"")


async def test_anything_else_is_said_to_be_wrong(port: int) -> None:
    """404 names the pages, 405 the method."""
    line, _, body = await get(port, "/health")
    assert line == "HTTP/1.1 404 Not Found"
    assert b"/readyz" in body
    assert (await ask(port, b"POST /livez HTTP/1.1\r\n\r\n"))[0] == "HTTP/1.1 405 Method Not Allowed"


@pytest.mark.parametrize("request_", [b"x" * 100_000, b"\r\n\r\n", b"\xff\xfe \xff\r\n\r\n"])
async def test_nonsense_harms_nobody(port: int, request_: bytes) -> None:
    """Bounded in size; the next client is served."""
    with suppress(ConnectionError):  # an answer may be a closed door
        await ask(port, request_)
    assert (await get(port, "/livez"))[0] == "HTTP/1.1 200 OK"


async def test_a_silent_client_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait has a limit."""
    monkeypatch.setattr(health, "_TIMEOUT", 0.05)
    assert await ask(port, b"GET /livez") == ("", {}, b"")


async def test_connections_are_bounded(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many ends the oldest, not itself: what hangs never keeps a probe out."""
    monkeypatch.setattr(health, "_MAX_CONNECTIONS", 2)
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    await asyncio.sleep(0.02)
    assert (await get(port, "/livez"))[0] == "HTTP/1.1 200 OK"
    assert await silent[0][0].read() == b""
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nX: ", b"GET /metrics HTTP/1.1\r\n\r\n"])
async def test_a_thousand_hanging_connections_shut_nobody_out(port: int, status: Status, said: bytes) -> None:
    """Silent, slow, or deaf to the answer: /livez and /readyz answer at once all the while."""
    status.not_ready = ""
    hanging = []
    for number in range(1000):
        hanging.append(await asyncio.open_connection("127.0.0.1", port))
        hanging[-1][1].write(said)
        if number % 100 == 99:
            async with asyncio.timeout(10):
                assert (await get(port, "/livez"))[0] == "HTTP/1.1 200 OK"
                assert (await get(port, "/readyz"))[0] == "HTTP/1.1 200 OK"
    for _, writer in hanging:
        writer.close()


async def test_the_peer_with_the_most_connections_loses_one(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one's connections stay."""
    monkeypatch.setattr(health, "_MAX_CONNECTIONS", 4)
    other = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.9", 0))
    many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    await asyncio.sleep(0.02)
    other[1].write(b"GET /livez HTTP/1.1\r\n\r\n")
    assert (await other[0].read()).startswith(b"HTTP/1.1 200 OK")
    for _, writer in (*many, other):
        writer.close()


async def test_a_lone_surrogate_is_escaped(port: int, status: Status) -> None:
    """In a script's error, on every page."""
    status.not_ready = ""
    status.failed("bad \ud800")
    status.trouble = lambda: "worse \udfff"
    for path in ("/", "/readyz"):
        assert b"worse \\udfff" in (await get(port, path))[2]
    assert b"bad \\ud800" in (await get(port, "/"))[2]
    assert json.dumps(status.report(), ensure_ascii=False).encode()


async def test_a_page_that_fails_is_no_silence(port: int, status: Status) -> None:
    """A fact or a gauge of ours that raises."""
    status.facts["broken"] = lambda: str(1 / 0)
    assert (await get(port, "/"))[0] == "HTTP/1.1 500 Internal Server Error"
    assert (await get(port, "/livez"))[0] == "HTTP/1.1 200 OK"


async def test_a_taken_port_is_named(port: int) -> None:
    """With the setting to change."""
    with pytest.raises(SettingsError, match=f"port {port} is taken: set SCORING_HTTP_PORT"):
        await Health(Metrics({}), Status()).start(port)
