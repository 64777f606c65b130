"""Bodies as a broken or hostile device may send them: valid ones of every form, mutated; and a million of them.

python tests/fuzz/bodies.py --count 1000000 [--seed N]

Each is decoded, as text too, and its rows are scored by a model if one is given. Nothing but a RequestError may come
out, no body may take longer than SLOWEST, and the process may not grow by more than GROWTH.
"""

import argparse
import gzip
import json
import random
import resource
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from scoring.bodies.codecs import Body, decode, decode_text, rows_of
from scoring.errors import RequestError

SLOWEST = 2.0
"""Seconds that one body may take."""

GROWTH = 256 * 2**20
"""Bytes that the process may grow by."""

OVERSIZE = 262_144
"""Bytes that edgeHub takes at most."""

BOMB = 2**25
"""Bytes that a body is now and then blown up to before it is encoded."""

TYPES = (
    *(
        "",
        "application/json",
        "application/json; charset=utf-16",
        "application/x-ndjson",
        "application/cloudevents+json",
    ),
    *("text/csv", "text/csv; header=absent", "text/tab-separated-values", "text/plain", "text/plain; charset=latin1"),
    *(
        "application/msgpack",
        "application/octet-stream",
        "image/png",
        "application/unknown",
        ";;=,",
        "TEXT/CSV;a=b;c;d;e;f",
    ),
)
ENCODINGS = (
    *(
        "",
        "",
        "utf-8",
        "utf-16",
        "utf-32",
        "UTF-16BE",
        "latin1",
        "gzip",
        "deflate",
        "zstd",
        "utf-8, gzip",
        "gzip, utf-16",
    ),
    *("gzip, deflate", "identity", "unknown", ",,,", "gzip,gzip,gzip,gzip,gzip", "zstd,gzip"),
)
_WORDS = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"NaN",
    b"1e999",
)
_BITES = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\x91" * 3000,
    b"[" * 3000,
    b"\xc7\xff\x05",
    b"\x1f\x8b\x08",
)


def value(random: random.Random, depth: int = 0) -> object:
    """Give a value as JSON has it."""
    kind = random.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return random.choice((None, True, False, "", "temp\u00e9rature", "\U0001f600", "1", "a,b\n"))
    if kind < 3:
        return random.choice((0, -1, 2**53 + 1, 2**63, -(2**63), random.randrange(1000)))
    if kind < 6:
        return random.choice((0.5, -0.0, 1e308, 5e-324, random.random()))
    if kind == 6:
        return {random.choice("xabc"): value(random, depth + 1) for _ in range(random.randrange(4))}
    return [value(random, depth + 1) for _ in range(random.randrange(5))]


def _csv(random: random.Random) -> bytes:
    delimiter = random.choice(",;\t")
    lines = [["x", "b", '"c"'], *[[random.choice(("1", "2.5", "", '"q,"', "007")) for _ in range(3)] for _ in range(3)]]
    return random.choice(("\n", "\r\n")).join(map(delimiter.join, lines)).encode()


def _lines(random: random.Random) -> bytes:
    return b"\n".join(json.dumps(value(random)).encode() for _ in range(random.randrange(1, 5)))


def _msgpack(random: random.Random) -> bytes:
    return msgspec.msgpack.encode([value(random), random.randbytes(3)] if random.random() < 0.3 else value(random))


_FORMS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    ("application/json", lambda random: json.dumps(value(random), ensure_ascii=random.random() < 0.5).encode()),
    ("", lambda random: json.dumps({"x": [random.random() for _ in range(3)]}).encode()),
    ("text/csv", _csv),
    ("application/x-ndjson", _lines),
    ("application/msgpack", _msgpack),
    ("text/plain", lambda random: json.dumps(value(random)).encode()),
    ("application/octet-stream", lambda random: random.randbytes(random.randrange(40))),
)


def _zstd(data: bytes) -> bytes:
    """Give a zstd frame of one raw block, without a checksum; more than its 128 KB is cut."""
    data = data[:100_000]
    return b"\x28\xb5\x2f\xfd\x00\x58" + (len(data) << 3 | 1).to_bytes(3, "little") + data


_CODINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("", bytes),
    ("utf-8", bytes),
    ("utf-16", lambda data: data.decode("latin-1").encode("utf-16")),
    ("utf-32", lambda data: data.decode("latin-1").encode("utf-32")),
    ("utf-16be", lambda data: data.decode("latin-1").encode("utf-16-be")),
    ("gzip", lambda data: gzip.compress(data, 1)),
    ("deflate", lambda data: zlib.compress(data, 1)),
    ("deflate", lambda data: zlib.compress(data, 1)[2:-4]),
    ("zstd", _zstd),
    ("utf-16, gzip", lambda data: gzip.compress(data.decode("latin-1").encode("utf-16"), 1)),
)


def _mutated(data: bytes, random: random.Random) -> bytes:
    for _ in range(random.choice((0, 0, 0, 1, 1, 3))):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + bytes((random.randrange(256),)) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + random.choice(_WORDS) + data[at:]
        elif kind == 3:
            data = data[:at] + random.choice(_BITES) + data[at:]
        else:
            data = data[:at] + data[random.randrange(len(data) + 1) :][:1000] + data[at:]
    return data


def body(random: random.Random) -> Body:
    """Give a body: a valid one of some form, mutated, encoded, mutated again; often under its right names."""
    kind, make = random.choice(_FORMS)
    encoding, encode = random.choice(_CODINGS)
    data = _mutated(make(random), random)
    if random.random() < 0.0005:
        data *= BOMB // (len(data) + 1)
    data = _mutated(encode(data)[:OVERSIZE], random)
    kind = random.choice(TYPES) if random.random() < 0.3 else kind
    return Body(data, kind, random.choice(ENCODINGS) if random.random() < 0.3 else encoding)


def outcome(body: Body, score: Callable[[list[object]], object] | None = None) -> str:
    """Decode a body both ways and score its rows; gives what came of it. Anything but a RequestError passes through."""
    with suppress(RequestError):
        decode_text(body)
    try:
        request = decode(body)
        if score is not None:
            score(rows_of(request) or [request])
    except RequestError as error:
        return "refused" if len(str(error)) < 1000 else f"a reason of {len(str(error))} characters"
    return type(request).__name__


def bodies(count: int, seed: int) -> Iterator[Body]:
    """Give so many bodies; the same ones for the same seed."""
    source = random.Random(seed)
    for _ in range(count):
        yield body(source)


def main() -> int:
    """Decode many bodies and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    slowest, began, before = 0.0, time.perf_counter(), _memory()
    for number, each in enumerate(bodies(arguments.count, arguments.seed)):
        start = time.perf_counter()
        try:
            counts[outcome(each)] += 1
        except BaseException:
            print(f"seed {arguments.seed}, body {number}: {each!r:.2000}", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - start)
    grown, seconds = _memory() - before, time.perf_counter() - began
    print(f"{arguments.count:,} bodies (seed {arguments.seed}) in {seconds:.0f} s: {dict(counts.most_common())}")
    print(f"slowest {slowest * 1000:.0f} ms, grown by {grown / 2**20:.0f} MB at most")
    return 0 if slowest < SLOWEST and grown < GROWTH else 1


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
