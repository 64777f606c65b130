"""A classic script: the body as text, JSON rows back."""

import json
import zlib


def init():
    pass


def _row(reading):
    values = reading["values"]
    return {"n": reading["n"], "sum": sum(values), "least": min(values), "crc": zlib.crc32(reading["text"].encode())}


def run(raw_data):
    data = json.loads(raw_data)
    return [_row(row) for row in (data if isinstance(data, list) else [data])]
