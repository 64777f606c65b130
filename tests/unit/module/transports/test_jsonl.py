"""Messages from and to files."""

import asyncio
import gzip
import io
from base64 import b64encode
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from module.errors import SettingsError
from module.inbox import MemoryInbox
from module.messages import InputMessage, OutputMessage
from module.transports.jsonl import JsonLines, message_line, read_messages, read_telemetry

JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


@pytest.mark.parametrize("name", ["telemetry.jsonl", "telemetry.jsonl.gz"])
def test_telemetry_is_a_message_a_line(tmp_path: Path, name: str) -> None:
    """The line is the body, whatever it holds; only the newline that ends the file is no message."""
    content = b'{"x": 1}\n\n not json \r\n\xff\n[1]\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    messages = list(read_telemetry(path, "leaf"))
    assert [m.body for m in messages] == [b'{"x": 1}', b"", b" not json ", b"\xff", b"[1]"]
    assert [m.system for m in messages] == [{"message_id": f"leaf-{n}", **JSON} for n in range(1, 6)]
    assert all(m.input == "" and not m.properties for m in messages)


def test_telemetry_of_an_empty_file_is_nothing(tmp_path: Path) -> None:
    """No line, no message."""
    (tmp_path / "empty.jsonl").touch()
    assert list(read_telemetry(tmp_path / "empty.jsonl", "leaf")) == []


@given(body=st.binary(), system=st.dictionaries(st.text(), st.text()), properties=st.dictionaries(st.text(), st.text()))
def test_a_whole_message_a_line(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, system: dict[str, str], properties: dict[str, str]
) -> None:
    """Input, system and application properties and, as base64, any body at all."""
    path = tmp_path_factory.getbasetemp() / "messages.jsonl"
    fields = {"input": "in", "system": system, "properties": properties, "base64": b64encode(body).decode()}
    path.write_bytes(orjson.dumps(fields))
    assert list(read_messages(path)) == [InputMessage(body, "in", system, properties)]


def test_a_body_in_a_message_line_is_json(tmp_path: Path) -> None:
    """Byte for byte as it stands there, and said to be JSON unless the line says otherwise."""
    path = tmp_path / "messages.jsonl"
    path.write_text('{"body": {"x":  1.50}}\n{"body": 1, "system": {"content_type": "text/plain"}}\n')
    first, second = read_messages(path)
    assert (first.body, first.system) == (b'{"x":  1.50}', JSON)
    assert second.system == {"content_type": "text/plain"}


@pytest.mark.parametrize("bad", ["{", "[]", '{"input": 5}', '{"base64": "?"}', ""])
def test_a_line_that_is_no_message_is_named(tmp_path: Path, bad: str) -> None:
    """With the file and the number of the line."""
    path = tmp_path / "messages.jsonl"
    path.write_text(f'{{"body": 1}}\n{bad}\n')
    with pytest.raises(SettingsError, match=r"messages\.jsonl line 2 is not a message: "):
        list(read_messages(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """One sentence with its path."""
    with pytest.raises(SettingsError, match=r"cannot read .*/absent\.jsonl: No such file"):
        list(read_telemetry(tmp_path / "absent.jsonl", "leaf"))


@pytest.mark.parametrize("content", [b"no gzip at all\n", gzip.compress(b"1\n" * 5000, mtime=0)[:-20]])
def test_a_gz_that_is_broken_is_named_too(tmp_path: Path, content: bytes) -> None:
    """Also when it breaks off half way."""
    path = tmp_path / "telemetry.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"cannot read .*/telemetry\.jsonl\.gz: "):
        list(read_telemetry(path, "leaf"))


@pytest.mark.parametrize(
    ("body", "system", "field"),
    [
        (b'{"y":1.5}', JSON, {"body": {"y": 1.5}}),
        (b'{"y":1.5}', {**JSON, "content_type": "Application/JSON"}, {"body": {"y": 1.5}}),
        (b'{"y":1.5}', {"content_type": "application/json"}, {"base64": "eyJ5IjoxLjV9"}),
        (b"{", JSON, {"base64": "ew=="}),
        (b"", JSON, {"base64": ""}),
    ],
)
def test_the_line_of_an_upstream_message(body: bytes, system: dict[str, str], field: dict[str, object]) -> None:
    """The body is the JSON value if content type and encoding say JSON and it is; else base64."""
    line = message_line("m", OutputMessage(body, "o", system, {"k": "v"}))
    assert line.endswith(b"\n")
    expected = {"module": "m", "output": "o", "system": system, "properties": {"k": "v"}, **field}
    assert orjson.loads(line) == expected


@pytest.mark.parametrize(
    "body", [b"[%d]" % 2**70, b'{"a":1,"a":2}', b"[1.50, 1E40]", b'{"a":\r\n\t"b\\n"}', b"[" * 300 + b"]" * 300]
)
def test_a_body_is_shown_as_it_leaves(body: bytes) -> None:
    """Digits that no float has, and what only a reader would drop; on one line."""
    line = message_line("m", OutputMessage(body, "o", JSON, {}))
    assert b'"body":' + body.replace(b"\r\n", b"  ") + b"}\n" in line
    assert line.count(b"\n") == 1


async def test_the_file_transport_waits_for_room_and_loses_nothing() -> None:
    """Back-pressure ends at the file: it is read no faster than messages are done."""
    inbox = MemoryInbox(max_messages=2)
    lines = JsonLines([InputMessage(b"%d" % n, "") for n in range(10)], inbox, io.BytesIO())
    feeding = asyncio.create_task(lines.feed())
    bodies = []
    async with asyncio.timeout(10):
        for _ in range(10):
            (accepted,) = await inbox.take(1)
            assert inbox.waiting() <= 2
            bodies.append(accepted.message.body)
            await inbox.done([accepted.seq])
    assert bodies == [b"%d" % n for n in range(10)]
    assert await feeding == 10
    assert await inbox.take(1) == [], "it is closed"


async def test_the_file_transport_writes_a_line_for_each_message_at_once() -> None:
    """What is written is confirmed."""
    out = io.BytesIO()
    lines = JsonLines([], MemoryInbox(), out)
    await lines.publish(OutputMessage(b"1", "a", JSON))
    await lines.publish(OutputMessage(b"2", "b", JSON))
    assert [orjson.loads(line)["body"] for line in out.getvalue().splitlines()] == [1, 2]
