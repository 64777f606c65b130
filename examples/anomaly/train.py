"""Train ``model.onnx``: is a machine's reading an anomaly? From the labelled rows of Azure's anomaly tutorial.

    python examples/anomaly/train.py --data FOLDER

FOLDER holds ``temperature_data.csv``. Written beside this file: ``model.onnx`` and ``telemetry.jsonl.gz`` (every row as
a message, one a second). The same data gives the same bytes.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import cross_val_predict

START = datetime(2018, 9, 1, 10, tzinfo=UTC)

Rows = NDArray[np.float64]
"""Rows of the data file, [N, 5]: machine temperature and pressure, ambient temperature and humidity (the source names
no units), and 1 for an anomaly, else 0."""


def classifier() -> GradientBoostingClassifier:
    """Give the model, not trained yet."""
    return GradientBoostingClassifier(n_estimators=30, random_state=1)


def train(rows: Rows) -> bytes:
    """Give the ONNX file: ``reading`` [None, 4] float32 → ``anomaly`` [None] int64, ``probabilities`` [None, 2]."""
    exported = to_onnx(
        classifier().fit(rows[:, :4], rows[:, 4].astype(int)),
        initial_types=[("reading", FloatTensorType([None, 4]))],
        final_types=[("anomaly", Int64TensorType([None])), ("probabilities", FloatTensorType([None, 2]))],
        options={"zipmap": False},
        name="anomaly",
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    exported.opset_import.sort(key=lambda opset: opset.domain)  # skl2onnx leaves them in a set's order, by chance
    return bytes(exported.SerializeToString())


def messages(rows: Rows) -> Iterator[bytes]:
    """Give each row as the message that the machine sends, a JSON line."""
    for second, (temperature, pressure, ambient, humidity, _) in enumerate(rows.tolist()):
        message = {
            "machine": {"temperature": temperature, "pressure": pressure},
            "ambient": {"temperature": ambient, "humidity": int(humidity)},
            "timeCreated": f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}",
        }
        yield json.dumps(message, separators=(",", ":")).encode() + b"\n"


def main() -> None:
    """Read the data, write what the example needs, print how good the model is on rows that it was not shown."""
    parser = argparse.ArgumentParser(description="Train the anomaly example.")
    parser.add_argument("--data", type=Path, required=True, help="folder with temperature_data.csv")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="default: beside this script")
    arguments = parser.parse_args()
    rows = np.loadtxt(arguments.data / "temperature_data.csv", delimiter=",", skiprows=1, encoding="utf-8-sig")

    (arguments.output / "model.onnx").write_bytes(train(rows))
    (arguments.output / "telemetry.jsonl.gz").write_bytes(gzip.compress(b"".join(messages(rows)), mtime=0))
    is_right = cross_val_predict(classifier(), rows[:, :4], rows[:, 4], cv=5) == rows[:, 4]
    print(f"{is_right.mean():.1%} of {len(rows)} rows right, each judged by a model that was not shown it")


if __name__ == "__main__":
    main()
