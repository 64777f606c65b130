"""Show how good the predictions that reached IoT Hub are: an RMSE and a picture.

python examples/turbofan/report.py UPSTREAM.jsonl [-o turbofan.png]

UPSTREAM.jsonl is what ``scoring-module simulate --upstream`` writes. An engine's true remaining life at a cycle is its
entry in ``RUL_FD001.txt`` plus the cycles to its last row in ``telemetry.jsonl.gz``, capped at 125 as in training.
"""

import argparse
import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CAP = 125
"""Remaining cycles that count as healthy, as in train.py."""

Lives = dict[int, dict[int, float]]
"""Remaining life in cycles, by engine and cycle."""


def read_predictions(upstream: Path) -> Lives:
    """Give each prediction in the lines of a ``--upstream`` file; a line sent twice counts once."""
    predictions: Lives = {}
    with upstream.open() as lines:
        for line in lines:
            body = json.loads(line).get("body")
            if isinstance(body, dict) and "PredictedRul" in body:
                predictions.setdefault(body["DeviceId"], {})[body["CycleTime"]] = body["PredictedRul"]
    return {engine: dict(sorted(by_cycle.items())) for engine, by_cycle in sorted(predictions.items())}


def true_lives(predictions: Lives, folder: Path) -> Lives:
    """Give the true remaining life, capped, for every engine and cycle that was predicted."""
    at_the_end = [float(line) for line in (folder / "RUL_FD001.txt").read_text().split()]
    with gzip.open(folder / "telemetry.jsonl.gz", "rt") as lines:  # a later row of an engine replaces the earlier one
        last_cycle = {row["DeviceId"]: row["CycleTime"] for row in map(json.loads, lines)}
    return {
        engine: {cycle: min(at_the_end[engine - 1] + last_cycle[engine] - cycle, CAP) for cycle in by_cycle}
        for engine, by_cycle in predictions.items()
    }


def draw_last_rows(axes: Axes, truth: list[float], predicted: list[float]) -> None:
    """Draw a dot for each engine: what was predicted at its last row against what was true."""
    axes.plot([0, CAP], [0, CAP], color="0.6", linewidth=1, linestyle="--", label="ideal")
    axes.scatter(truth, predicted, s=26, alpha=0.75, linewidths=0, color="#1f6feb", label="engine, at its last row")
    axes.set(xlabel=f"True remaining life (cycles, at most {CAP})", ylabel="Predicted remaining life (cycles)")
    axes.set(xlim=(0, CAP + 8), ylim=(0, CAP + 8), aspect="equal")
    axes.legend(frameon=False, loc="lower right")


def draw_histories(axes: Axes, predictions: Lives, truth: Lives, engines: list[int]) -> None:
    """Draw some engines' predictions over their lives, the truth dashed in the same colour."""
    for engine, color in zip(engines, ("#d1495b", "#2a9d8f", "#7b4fbf"), strict=False):
        cycles = list(predictions[engine])
        axes.plot(cycles, list(predictions[engine].values()), color=color, linewidth=1.2, label=f"engine {engine}")
        axes.plot(cycles, list(truth[engine].values()), color=color, linewidth=1, linestyle="--", alpha=0.7)
    axes.set(xlabel="Cycles flown", ylabel="Remaining life (cycles)", ylim=(0, CAP + 20))
    axes.set_title("The three most worn engines (dashed: true)", fontsize=11)
    axes.legend(frameon=False, loc="lower left")


def draw(predictions: Lives, truth: Lives, last_cycle: Mapping[int, int], title: str) -> Figure:
    """Give the picture: the last rows on the left, three histories on the right."""
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    last_truth = {engine: truth[engine][cycle] for engine, cycle in last_cycle.items()}
    draw_last_rows(left, list(last_truth.values()), [predictions[engine][last_cycle[engine]] for engine in last_truth])
    left.set_title(title, fontsize=11)
    draw_histories(right, predictions, truth, sorted(last_truth, key=last_truth.__getitem__)[:3])
    for axes in (left, right):
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Print the RMSE and write the picture."""
    parser = argparse.ArgumentParser(description="RMSE and picture of the turbofan example's predictions.")
    parser.add_argument("upstream", type=Path, metavar="UPSTREAM.jsonl", help="written by simulate --upstream")
    parser.add_argument("-o", "--output", type=Path, default=Path("turbofan.png"), help="default: %(default)s")
    arguments = parser.parse_args()
    if not arguments.upstream.is_file():
        raise SystemExit(f"{arguments.upstream} is not there: write it with scoring-module simulate --upstream")
    predictions = read_predictions(arguments.upstream)
    if not predictions:
        raise SystemExit(f"{arguments.upstream} holds no PredictedRul: simulate with SCORING_DIR=examples/turbofan")

    truth = true_lives(predictions, Path(__file__).parent)
    last_cycle = {engine: max(by_cycle) for engine, by_cycle in predictions.items()}
    errors = [predictions[engine][cycle] - truth[engine][cycle] for engine, cycle in last_cycle.items()]
    title = f"RMSE {np.sqrt(np.mean(np.square(errors))):.1f} cycles over {len(errors)} engines"
    draw(predictions, truth, last_cycle, title).savefig(arguments.output, dpi=150)
    print(f"{title}, picture in {arguments.output}")


if __name__ == "__main__":
    main()
