import datetime
import decimal
import enum
import json
import uuid

import numpy as np
import pandas as pd


class Colour(enum.Enum):
    RED = "red"


KINDS = {
    "numpy number": np.float32(0.5),
    "numpy flag": np.bool_(True),
    "numpy array": np.arange(6).reshape(2, 3),
    "numpy slice": np.arange(6)[::2],
    "numpy texts": np.array(["a", "b"]),
    "numpy half": np.array([0.5], np.float16),
    "numpy dates": np.array(["2018-12-01"], "datetime64[D]"),
    "numpy records": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "numpy inside": {"scores": [np.float64(0.25), np.int64(3)], np.int64(1): np.array([1, 2])},
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "series": pd.Series([1.5, 2.5]),
    "stamp": pd.Timestamp("2018-12-01T10:00:00"),
    "no stamp": pd.NaT,
    "date": datetime.date(2018, 12, 1),
    "time": datetime.datetime(2018, 12, 1, 10, 0, tzinfo=datetime.timezone.utc),
    "duration": datetime.timedelta(seconds=90),
    "uuid": uuid.UUID(int=1),
    "decimal": [decimal.Decimal("1.5"), decimal.Decimal(3)],
    "enum": Colour.RED,
    "bytes": b"text",
    "raw bytes": b"\xff\x00",
    "set": {1, 2},
    "object": object(),
}


def init():
    pass


def run(raw_data):
    return KINDS[json.loads(raw_data)["give"]]
