"""Messages from and to files."""

import asyncio
import gzip
import io
import json
import os
from base64 import b64encode
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from module.errors import SettingsError
from module.inbox import MemoryInbox
from module.messages import InputMessage, OutputMessage
from module.property_bag import SYSTEM_PROPERTIES
from module.transports import message_files
from module.transports.jsonl import JsonLines, message_line
from module.transports.message_files import arriving, may_wait, read_messages, read_telemetry
from scoring.bodies.codecs import Body, decode

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


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "semicolons.csv"])
def test_a_row_of_a_table_is_a_json_object(tmp_path: Path, name: str) -> None:
    """By the header's names; a quoted line end belongs to its field, a BOM to nobody."""
    text = '\ufeffx,name,ok\n1.5,"a\n""b""",true\n007,,nan\n'
    text = text.replace(",", "\t" if "tsv" in name else ";" if "semi" in name else ",")
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    first, second = read_telemetry(path, "leaf")
    assert orjson.loads(first.body) == {"x": 1.5, "name": 'a\n"b"', "ok": True}
    assert orjson.loads(second.body) == {"x": "007", "name": None, "ok": None}
    assert second.system == {"message_id": "leaf-2", **JSON}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (b"3\n", "line 3 of the CSV has 1 fields: expected 2"),
        (b'\n"3\n",4,5\n', "line 4 of the CSV has 3 fields: expected 2"),
        (b"3,\xe9\n", "byte 3 of line 3 of the CSV is not UTF-8: save the file in that character set"),
        (b"3,4\r5,6\r", "line 3 of the CSV has a carriage return without a line feed"),
        (b'\n3,"4\n5,6\n', "line 4 of the CSV begins a row with a quote that is not closed"),
        (b'3,"4\n' + b"5,6\n" * 40_000, "line 3 of the CSV begins a row with a field of over 131072 characters"),
        (b'3,"4"5\n', "line 3 of the CSV cannot be read: ',' expected after '\"'"),
        ("x,y\n".encode("utf-16"), "byte 1 of line 3 of the CSV is not UTF-8"),
    ],
)
def test_a_table_that_is_none_is_a_sentence_at_its_line(tmp_path: Path, wrong: bytes, sentence: str) -> None:
    """The rows before it are messages: a table may be longer than memory."""
    (tmp_path / "t.csv").write_bytes(b"x,y\n1,2\n" + wrong)
    rows = read_telemetry(tmp_path / "t.csv", "leaf")
    assert orjson.loads(next(rows).body) == {"x": 1, "y": 2}
    with pytest.raises(SettingsError) as raised:
        next(rows)
    assert str(raised.value).startswith(f"cannot read {tmp_path / 't.csv'}: {sentence}")


@pytest.mark.parametrize("digits", [15, 19, 22, 100])
def test_a_whole_number_of_a_table_is_as_exact_as_in_a_message(tmp_path: Path, digits: int) -> None:
    """Whatever its length: classic scripts get the text."""
    content = f"x,y\n{'7' * digits},TRUE\n"
    (tmp_path / "t.csv").write_text(content)
    (row,) = read_telemetry(tmp_path / "t.csv", "leaf")
    assert [json.loads(row.body)] == decode(Body(content.encode(), "text/csv")) == [{"x": int("7" * digits), "y": True}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("frame.jpg", "image/jpeg"), ("frame.PNG", "image/png"), ("m.msgpack", "application/msgpack")],
)
def test_a_file_that_holds_one_body_is_one(tmp_path: Path, name: str, kind: str) -> None:
    """Whatever bytes are in it, with the content type that its name says."""
    (tmp_path / name).write_bytes(b"\xff\xd8\n\n{")
    (only,) = read_telemetry(tmp_path / name, "leaf")
    assert (only.body, only.system) == (b"\xff\xd8\n\n{", {"message_id": "leaf-1", "content_type": kind})


def test_a_json_file_is_one_body_or_a_body_a_line(tmp_path: Path) -> None:
    """As it reads: printed over several lines it is still one value."""
    path = tmp_path / "sample.json"
    path.write_text('{\n  "x": 1\n}\n')
    assert [message.body for message in read_telemetry(path, "leaf")] == [b'{\n  "x": 1\n}\n']
    path.write_text('{"x": 1}\n{"x": 2}\n')
    assert [message.body for message in read_telemetry(path, "leaf")] == [b'{"x": 1}', b'{"x": 2}']


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, whatever the file is."""
    monkeypatch.setattr(message_files, "_LONGEST", 100)
    for name, said in (("t.jsonl", "line 2 is longer than 100 bytes"), ("t.jpg", "is one body, of 100 bytes at most")):
        (tmp_path / name).write_bytes(b"1\n" + b"x" * 1000)
        with pytest.raises(SettingsError, match=said):
            list(read_telemetry(tmp_path / name, "leaf"))


async def test_what_a_pipe_brings_goes_on_before_the_next_comes(tmp_path: Path) -> None:
    """And what cannot be read is said after it."""
    os.mkfifo(tmp_path / "pipe")
    keep = os.open(tmp_path / "pipe", os.O_RDWR)  # opens without waiting for the other side
    os.write(keep, b'{"body": 1}\n')
    given = arriving(read_messages(tmp_path / "pipe"), wait=may_wait(tmp_path / "pipe"))
    async with asyncio.timeout(10):
        assert (await anext(given)).body == b"1"
        os.write(keep, b"nonsense\n")
        with pytest.raises(SettingsError, match="line 2 is not a message"):
            await anext(given)
    os.close(keep)


def test_telemetry_of_an_empty_file_is_nothing(tmp_path: Path) -> None:
    """No line, no message."""
    (tmp_path / "empty.jsonl").touch()
    assert list(read_telemetry(tmp_path / "empty.jsonl", "leaf")) == []


NAMES = st.sampled_from(sorted(SYSTEM_PROPERTIES.values()))


@given(body=st.binary(), system=st.dictionaries(NAMES, st.text()), properties=st.dictionaries(st.text(), st.text()))
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
    path.write_text('{"body": {"x":  1.50}}\n{"body": 1, "system": {"content_type": "text/plain"}}\n{"body": "x"}\n')
    first, second, third = read_messages(path)
    assert (first.body, first.system) == (b'{"x":  1.50}', JSON)
    assert (second.body, second.system) == (b"1", {"content_type": "text/plain"})
    assert (third.body, third.system) == (b'"x"', JSON)


def test_a_text_with_a_content_type_that_is_not_json_is_that_text(tmp_path: Path) -> None:
    """A CSV or a plain text in quotes would be another body than the device sent."""
    path = tmp_path / "messages.jsonl"
    lines = [
        {"body": "x,y\n1,ü", "system": {"content_type": kind}} for kind in ("text/csv", "Text/Plain; charset=utf-8")
    ]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    assert [message.body for message in read_messages(path)] == ["x,y\n1,ü".encode()] * 2


def test_a_byte_order_mark_belongs_to_no_line(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "messages.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"body": 1}\n{"body": 2}\n')
    assert [message.body for message in read_messages(path)] == [b"1", b"2"]
    path.write_bytes(b"\xef\xbb\xbf{}\n\xef\xbb\xbf[]\n")
    assert [message.body for message in read_telemetry(path, "leaf")] == [b"{}", b"\xef\xbb\xbf[]"]


def test_what_simulate_writes_can_be_read_again(tmp_path: Path) -> None:
    """What one module gave is what the next one gets."""
    path = tmp_path / "messages.jsonl"
    path.write_bytes(message_line("m", OutputMessage(b'{"y":1.5}', "o", JSON, {"k": "v"})))
    assert list(read_messages(path)) == [InputMessage(b'{"y":1.5}', "", JSON, {"k": "v"})]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        '{"input": 5}',
        '{"base64": "?"}',
        "",
        '{"body": 1, "sytem": {}}',
        "{}",
        '{"body": 1, "base64": "AA=="}',
        '{"body": 1, "properties": {"$.mid": "of the hub"}}',
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path: Path, bad: str) -> None:
    """With the file and the number of the line."""
    path = tmp_path / "messages.jsonl"
    path.write_text(f'{{"body": 1}}\n{bad}\n')
    with pytest.raises(SettingsError, match=r"messages\.jsonl line 2 is not a message: .*; a line is {\"input\", "):
        list(read_messages(path))


def test_a_system_property_that_nothing_reads_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """The SDK's own spelling would leave the body's content type unsaid."""
    path = tmp_path / "messages.jsonl"
    for name, sentence in (("contentType", "did you mean content_type"), ("x", "it may have content_encoding, ")):
        path.write_bytes(orjson.dumps({"system": {name: "text/csv"}, "body": 1}))
        with pytest.raises(SettingsError, match=f"line 1 is not a message: .* unknown name {name}, {sentence}"):
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
        (b"[" * 900 + b"1" + b"]" * 900, JSON, {"body": orjson.loads(b"[" * 900 + b"1" + b"]" * 900)}),
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
    given = arriving(iter([InputMessage(b"%d" % n, "") for n in range(10)]), wait=False)
    lines = JsonLines(given, inbox, io.BytesIO())
    feeding = asyncio.create_task(lines.feed())
    bodies = []
    async with asyncio.timeout(10):
        for _ in range(10):
            (accepted,) = await inbox.take(1)
            assert inbox.waiting() <= 2
            bodies.append(accepted.message.body)
            await inbox.done([accepted.seq])
    assert bodies == [b"%d" % n for n in range(10)]
    await feeding
    assert await inbox.take(1) == [], "it is closed"


async def test_the_file_transport_writes_a_line_for_each_message_at_once() -> None:
    """What is written is confirmed."""
    out = io.BytesIO()
    lines = JsonLines(arriving(iter(()), wait=False), MemoryInbox(), out)
    await lines.publish(OutputMessage(b"1", "a", JSON))
    await lines.publish(OutputMessage(b"2", "b", JSON))
    assert [orjson.loads(line)["body"] for line in out.getvalue().splitlines()] == [1, 2]
