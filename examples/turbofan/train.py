"""Train ``model.onnx``: remaining useful life from one row of 21 sensors, on NASA's C-MAPSS FD001.

    python examples/turbofan/train.py --data FOLDER

FOLDER holds ``train_FD001.txt``, ``test_FD001.txt`` and ``RUL_FD001.txt``. Written beside this file: ``model.onnx``,
``telemetry.jsonl.gz`` (every test row as a message) and ``RUL_FD001.txt``. The same data gives the same bytes.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingRegressor

CAP = 125
"""Remaining cycles that count as healthy: no sensor shows wear earlier, so more is not asked of the model."""

FIELDS = [
    "DeviceId",
    "CycleTime",
    *(f"OperationalSetting{number}" for number in range(1, 4)),
    *(f"Sensor{number}" for number in range(1, 22)),
]
"""The columns of the data files, under the names that the messages have."""

Rows = NDArray[np.float64]
"""Rows of a data file, [N, 26] in the order of FIELDS; a plain vector where said so."""


def remaining_life(rows: Rows) -> Rows:
    """Give the remaining cycles [N] of engines that ran to failure, capped at CAP."""
    units, cycles = rows[:, 0], rows[:, 1]
    last_cycle = {unit: cycles[units == unit].max() for unit in np.unique(units)}
    return np.minimum([last_cycle[unit] - cycle for unit, cycle in zip(units, cycles, strict=True)], CAP)


def train(rows: Rows) -> bytes:
    """Give the ONNX file of a model: ``sensors`` [None, 21] float32 → ``rul`` [None, 1] float32."""
    model = GradientBoostingRegressor(n_estimators=100, max_depth=4, random_state=1)
    model.fit(rows[:, 5:], remaining_life(rows))
    exported = to_onnx(
        model,
        initial_types=[("sensors", FloatTensorType([None, 21]))],
        final_types=[("rul", FloatTensorType([None, 1]))],
        name="turbofan",
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    exported.opset_import.sort(key=lambda opset: opset.domain)  # skl2onnx leaves them in a set's order, by chance
    return bytes(exported.SerializeToString())


def rmse(model: bytes, rows: Rows, truth: Rows) -> float:
    """Give the error in cycles over the last row of each engine, the truth [engines] capped at CAP."""
    is_last = np.append(np.diff(rows[:, 0]) != 0, True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (predicted,) = session.run(["rul"], {"sensors": rows[is_last, 5:].astype(np.float32)})
    return float(np.sqrt(np.mean((predicted[:, 0] - np.minimum(truth, CAP)) ** 2)))


def messages(rows: Rows) -> Iterator[bytes]:
    """Give each row as the message that a device sends after a cycle, a JSON line."""
    for row in rows.tolist():
        message = dict(zip(FIELDS, [int(row[0]), int(row[1]), *row[2:]], strict=True))
        yield json.dumps(message, separators=(",", ":")).encode() + b"\n"


def main() -> None:
    """Read the data, write what the example needs, print the error."""
    parser = argparse.ArgumentParser(description="Train the turbofan example.")
    parser.add_argument("--data", type=Path, required=True, help="folder with {train,test,RUL}_FD001.txt")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="default: beside this script")
    arguments = parser.parse_args()
    data, output = arguments.data, arguments.output
    test, truth = np.loadtxt(data / "test_FD001.txt"), np.loadtxt(data / "RUL_FD001.txt")

    model = train(np.loadtxt(data / "train_FD001.txt"))
    (output / "model.onnx").write_bytes(model)
    (output / "RUL_FD001.txt").write_bytes((data / "RUL_FD001.txt").read_bytes())
    (output / "telemetry.jsonl.gz").write_bytes(gzip.compress(b"".join(messages(test)), mtime=0))
    print(f"RMSE {rmse(model, test, truth):.2f} cycles over the last row of {len(truth)} engines")


if __name__ == "__main__":
    main()
