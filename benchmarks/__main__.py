"""Measures everything in one run, prints the table and keeps the figures in build/benchmark/results.json.

A server has one core to itself, hub and load the other one; loads are bounded, addresses are loopback.
"""

import argparse
import os
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import uvloop

from . import models, report
from .processes import BUILD, LOAD_CORE, machine
from .rows import Results
from .suite import Plan, Suite

_RESULTS = BUILD / "results.json"
_FULL = Plan(rounds=3, seconds=2.5, quiet=10, in_process=models.ALL, others=models.SMALL[1:])
_QUICK = Plan(rounds=1, seconds=0.6, quiet=1, in_process=models.SMALL, others=())
_LIBRARIES = ("onnxruntime", "azure-iot-device", "paho-mqtt", "numpy", "orjson", "uvloop")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of two minutes; its figures are rough")
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md and benchmarks/plots")
    parser.add_argument("--again", action="store_true", help="measure nothing, take the figures of the last run")
    options = parser.parse_args()
    results = msgspec.json.decode(_RESULTS.read_bytes(), type=Results) if options.again else _run(options.quick)
    print(report.text(results))
    if options.write:
        report.write(results, Path(__file__).parent)


def _run(quick: bool) -> Results:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.sched_setaffinity(0, {LOAD_CORE})
    BUILD.mkdir(parents=True, exist_ok=True)
    rows = uvloop.run(Suite(_QUICK if quick else _FULL).all())
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    command = "scripts/benchmark --quick" if quick else "scripts/benchmark"
    results = Results(machine(), command, today, {name: version(name) for name in _LIBRARIES}, rows)
    _RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    return results


if __name__ == "__main__":
    main()
