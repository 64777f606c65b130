"""Bodies of every form: chosen by content type, content encoding and SCORING_BODY; unpacked within a limit."""

import gzip
import math
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.bodies import forms
from scoring.bodies.codecs import Body, Rows, decode, decode_json, decode_text, rows_of
from scoring.errors import OptionsError, RequestError

OBJECT = {"é": [1, 2.5, None]}
JSON = '{"é":[1,2.5,null]}'.encode()
LINES = b'{"a":1}\n\n{"a":2}\r\n'


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set SCORING_BODY, which is read once."""

    def forget() -> None:
        forms.default_form.cache_clear()
        forms.read_content_type.cache_clear()

    def use(form: str) -> None:
        monkeypatch.setenv("SCORING_BODY", form)
        forget()

    yield use
    forget()


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        ("", JSON, OBJECT),
        ("application/json", JSON, OBJECT),
        ("Application/JSON; charset=utf-8", JSON, OBJECT),
        ("application/cloudevents+json", JSON, OBJECT),
        ("application/json", b"\xef\xbb\xbf" + JSON, OBJECT),
        ("application/json; charset=utf-16", JSON.decode().encode("utf-16"), OBJECT),
        ("application/json", LINES, [{"a": 1}, {"a": 2}]),
        ("application/x-ndjson", LINES, [{"a": 1}, {"a": 2}]),
        ("application/jsonl", b"1\n2", [1, 2]),
        ("text/csv", b"a,b\n1,x\n", [{"a": 1, "b": "x"}]),
        ("text/csv; header=absent", b"1,x\n2,y", [[1, "x"], [2, "y"]]),
        ("text/tab-separated-values", b"a\tb\n1,5\tx", [{"a": "1,5", "b": "x"}]),
        ("application/msgpack", msgspec.msgpack.encode(OBJECT), OBJECT),
        ("application/vnd.api+msgpack", msgspec.msgpack.encode([b"\0"]), [b"\0"]),
        ("application/octet-stream", b"\xff\0", b"\xff\0"),
        ("image/png", b"\xef\xbb\xbf", b"\xef\xbb\xbf"),
        ("text/plain", "7 µm".encode(), "7 µm"),
        ("text/plain; charset=latin1", "7 µm".encode("latin1"), "7 µm"),
        ("text/plain", JSON, OBJECT),
        ("text/plain", b"12", "12"),
    ],
)
def test_the_content_type_says_what_a_body_is(kind: str, data: bytes, value: object) -> None:
    """However it is written; the content encoding of JSON's sender changes nothing."""
    assert decode(Body(data, kind)) == value
    assert decode(Body(data, kind, "" if "charset" in kind or "utf" in kind else "utf-8")) == value


@pytest.mark.parametrize("form", ["csv", "msgpack", "text", "bytes", "jsonl", "json", "auto"])
def test_a_setting_decides_where_the_content_type_says_nothing(setting: Callable[[str], None], form: str) -> None:
    """And only there."""
    setting(form)
    body = {"csv": b"a\n1", "msgpack": b"\x01", "text": b"1", "bytes": b"1", "jsonl": b"1", "json": b"1", "auto": b"1"}
    wanted = {"csv": [{"a": 1}], "msgpack": 1, "text": "1", "bytes": b"1", "jsonl": [1], "json": 1, "auto": 1}
    assert decode(Body(body[form])) == decode(Body(body[form], "application/unheard-of")) == wanted[form]
    assert decode(Body(b"[1]", "application/json")) == [1]


def test_a_setting_that_is_none_is_named(setting: Callable[[str], None]) -> None:
    setting("xml")
    sentence = "SCORING_BODY is 'xml': expected one of auto, json, jsonl, csv, msgpack, text, bytes"
    with pytest.raises(OptionsError, match=sentence):
        decode(Body(b"1"))


def _zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        zstd = pytest.importorskip("backports.zstd")
    packed: bytes = zstd.compress(data)
    return packed


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": _zstd,
}


@pytest.mark.parametrize("coding", PACK)
@given(data=st.binary(max_size=300))
def test_compressions_are_undone(coding: str, data: bytes) -> None:
    """Whole, in two members or frames, and with a byte missing or another one in between."""
    packed = PACK[coding](data)
    assert decode(Body(packed, "application/octet-stream", coding.upper())) == data
    assert decode(Body(packed * 2, "application/octet-stream", coding)) == data * 2
    with pytest.raises(RequestError, match=rf"the {coding} body is cut off: it ends at byte {len(packed) - 1}$"):
        decode(Body(packed[:-1], "application/octet-stream", coding))
    with pytest.raises(RequestError, match=rf"^the part at byte {len(packed)} of the body is not {coding}: "):
        decode(Body(packed + b"\x07\xff", "application/octet-stream", coding))


def test_deflate_without_its_header_is_deflate_too() -> None:
    """RFC 9110 asks for zlib's form; many senders leave it away."""
    for level in (0, 1, 9):
        packer = zlib.compressobj(level, wbits=-15)
        assert decode(Body(packer.compress(JSON) + packer.flush(), "", "deflate")) == OBJECT


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8, gzip", gzip.compress(JSON, mtime=0)),
        ("gzip, utf-8", gzip.compress(JSON, mtime=0)),
        ("utf-16, gzip", gzip.compress(JSON.decode().encode("utf-16"), mtime=0)),
        ("gzip,deflate", zlib.compress(gzip.compress(JSON, mtime=0))),
        ("UTF_32", JSON.decode().encode("utf-32")),
        ("utf-16be", JSON.decode().encode("utf-16-be")),
        ("identity", JSON),
    ],
)
def test_a_content_encoding_is_a_character_set_a_compression_or_both(encoding: str, data: bytes) -> None:
    """Of edgeHub's kind the first, of HTTP's the second; the sender applied them from left to right."""
    assert decode(Body(data, "application/json", encoding)) == decode_json(Body(data, "", encoding)) == OBJECT
    assert decode_text(Body(data, "application/json", encoding)) == JSON.decode()


@pytest.mark.parametrize(
    ("kind", "encoding", "data", "sentence"),
    [
        ("", "br", b"", "the content encoding 'br' is not known: send the body as utf-8, utf-16, utf-32, gzip"),
        ("", "gzip," * 9, b"", "the content encoding names more than 4 codings: send fewer"),
        ("", "gzip", b"", "the body is empty: expected gzip at byte 0"),
        ("", "gzip", JSON, "the part at byte 0 of the body is not gzip: "),
        ("", "zstd", JSON, "the part at byte 0 of the body is not zstd: "),
        ("", "utf-16", b"a", "the body is not UTF-16: truncated data at byte 0"),
        (
            "",
            "",
            b'{"a":1}\n{"a":}',
            "line 2 of the body is not JSON: unexpected character, expected a JSON value at column 5",
        ),
        ("", "", b'{\n"a":}', "the body is not JSON: unexpected character, expected a JSON value at byte 6"),
        ("application/x-ndjson", "", b"\n\n", "the body is empty: expected a JSON value at line 1"),
        ("text/csv", "", b"a,b\n1\n", "line 2 of the CSV has 1 fields: expected 2"),
        ("text/csv", "", b'a\n"1', "line 2 of the CSV begins a row with a quote that is not closed"),
        ("text/csv", "", b"a,a\n1,2", "line 1 of the CSV has the column 'a' twice: name each column once"),
        ("text/csv", "", b"a,b\n", "the CSV has no rows: expected a header at line 1 and a row at line 2"),
        ("text/csv", "", b"\xff", "the body is not UTF-8: invalid start byte at byte 0"),
        ("application/msgpack", "", b"", "the body is not MessagePack: Input data was truncated (byte 0)"),
        ("application/msgpack", "", b"\x92\x01", "the body is not MessagePack: Input data was truncated (byte 2)"),
        (
            "application/msgpack",
            "",
            b"\x01\x02",
            "the body is not MessagePack: MessagePack data is malformed: trailing",
        ),
        ("application/msgpack", "", b"\x91" * 9999, "the body is not MessagePack: maximum recursion depth exceeded"),
        ("application/msgpack", "", b"\xa1\xff", "the body is not MessagePack: 'utf-8' codec can't decode byte"),
    ],
)
def test_bad_bodies(kind: str, encoding: str, data: bytes, sentence: str) -> None:
    """One sentence that says what is wrong and where."""
    with pytest.raises(RequestError) as raised:
        decode(Body(data, kind, encoding))
    assert str(raised.value).startswith(sentence)


def test_zstd_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("backports.zstd", "compression.zstd", "compression"):
        monkeypatch.setitem(sys.modules, name, None)
    if "backports" in sys.modules:
        monkeypatch.delattr(sys.modules["backports"], "zstd", raising=False)
    with pytest.raises(RequestError, match=r"pip install 'iotedge-scoring-module\[zstd\]'"):
        decode(Body(b"x", "", "zstd"))


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_is_stopped_while_it_is_unpacked(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the bytes nor the rows of more than the limit are ever in memory."""
    bomb = PACK[coding](b"[]" * 25_000_000)
    monkeypatch.setenv("SCORING_MAX_BODY_MB", "0.5")
    tracemalloc.start()
    try:
        with pytest.raises(
            RequestError, match="more than 524288 bytes when it is decompressed: raise SCORING_MAX_BODY_MB"
        ):
            decode(Body(bomb, "application/json", coding))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 + 2 * len(bomb)
    finally:
        tracemalloc.stop()


def test_a_window_of_gigabytes_is_refused() -> None:
    """A zstd frame asks for its window in its first bytes."""
    pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
    frame = b"\x28\xb5\x2f\xfd\x00\xa8" + (3 << 3 | 1).to_bytes(3, "little") + b"abc"
    with pytest.raises(RequestError, match="is not zstd: "):
        decode(Body(frame, "", "zstd"))


@pytest.mark.parametrize(("kind", "line"), [("text/csv", b"1\n"), ("application/x-ndjson", b"{}\n")])
def test_rows_are_bounded(kind: str, line: bytes) -> None:
    """Each becomes a request, many times as large as its bytes."""
    assert len(decode(Body(line * 100_000, kind))) >= 99_999  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="more than 100000 rows: send them in several messages"):
        decode(Body(line * 100_002, kind))


@pytest.mark.parametrize(("kind", "data"), [("application/msgpack", b"\x90"), ("application/json", b"[],")])
def test_a_bomb_of_empty_arrays_is_refused(kind: str, data: bytes) -> None:
    """16 KB that would become a gigabyte."""
    bomb = gzip.compress(data * 5_000_000)
    with pytest.raises(RequestError, match="more than 3000000 arrays and objects: send it in several messages"):
        decode(Body(bomb, kind, "gzip"))


def test_csv_values() -> None:
    """Numbers become numbers, true and false what they say, nothing null; leading zeros and all else stay text."""
    text = (
        '\ufefftime ;n;"b;c"\r\n2020-01-01; 1 ;"x ""y"""\r\n\r\n-1.5e3;;true\r\n007;1e999;"1\n2"\r\n'
        "+1;0.5;False\r\nTRUE;FALSE;tRUE\r\n1_0;12345678901234567890;\u0661\r\n"
    )
    assert decode(Body(text.encode(), "text/csv")) == [
        {"time": "2020-01-01", "n": 1, "b;c": 'x "y"'},
        {"time": -1500.0, "n": None, "b;c": True},
        {"time": "007", "n": "1e999", "b;c": "1\n2"},
        {"time": 1, "n": 0.5, "b;c": False},
        {"time": True, "n": False, "b;c": "tRUE"},
        {"time": "1_0", "n": 12345678901234567890, "b;c": "\u0661"},
    ]
    (row,) = rows_of(decode(Body(b"a,b,c\nnan,inf,-inf", "text/csv"))) or [{}]
    assert isinstance(row, dict)
    assert math.isnan(row["a"])
    assert (row["b"], row["c"]) == (math.inf, -math.inf)


def test_lines_are_rows_whatever_they_hold() -> None:
    """JSON Lines and CSV say so themselves; a JSON array of numbers is one request."""
    assert rows_of(decode(Body(b"1\n2", "application/jsonl"))) == [1, 2]
    assert rows_of(decode(Body(b"[1,2]"))) is None
    assert rows_of(Rows()) is None


def test_messagepack_has_what_json_has_not() -> None:
    """NaN, infinities and bytes come back as they went; arrays become lists."""
    body = msgspec.msgpack.encode({"a": (math.inf, 1.5), "b": b"\0", "c": 3})
    assert decode(Body(body, "application/msgpack")) == {"a": [math.inf, 1.5], "b": b"\0", "c": 3}
    assert math.isnan(decode(Body(msgspec.msgpack.encode(math.nan), "application/msgpack")))  # type: ignore[arg-type]


def test_messagepack_becomes_json_for_a_script_that_takes_text() -> None:
    """It can parse nothing else; bytes have no place there."""
    assert decode_text(Body(b"\x92\x01\xc0", "application/msgpack")) == "[1,null]"
    with pytest.raises(RequestError, match="MessagePack that cannot become JSON for this script"):
        decode_text(Body(b"\xc4\x01a", "application/msgpack"))
