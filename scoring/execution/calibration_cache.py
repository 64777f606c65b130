"""Remembers what calibration.py has measured, so that the next start need not measure: by model, provider and machine.

All models share one file in the journal's folder, which outlives the container.
"""

import hashlib
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import onnxruntime

from .cores import cpu_threads
from .plan import Measurement

_NAME = "calibration.json"
_MOST = 16
"""Models that are remembered, the latest."""

_decoder = msgspec.json.Decoder(dict[str, list[Measurement]])


class Cache:
    """The measurements of one model; a file that cannot be read or written is as none."""

    def __init__(self, directory: Path | None, sha256: str, providers: Iterable[str]) -> None:
        """Take the folder (None or absent: keep nothing) and what the measurements depend on."""
        self._path = directory / _NAME if directory and directory.is_dir() else None
        parts = (sha256, *providers, onnxruntime.__version__, str(cpu_threads()), _machine())
        self._key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def get(self) -> list[Measurement] | None:
        """Give the measurements: None without any, an empty list if a process has ended while it measured."""
        return self._read().get(self._key)

    def put(self, measured: list[Measurement] | None) -> None:
        """Remember measurements in place of those from before; None: nothing.

        An empty list is put before measuring begins: a model that ends the process by it is not measured again.
        """
        if self._path is None:
            return
        kept = self._read()
        kept.pop(self._key, None)
        if measured is not None:
            kept[self._key] = measured
        with suppress(OSError):
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(dict([*kept.items()][-_MOST:])))
            os.replace(new, self._path)

    def _read(self) -> dict[str, list[Measurement]]:
        try:
            return _decoder.decode(self._path.read_bytes()) if self._path else {}
        except (OSError, msgspec.DecodeError):
            return {}


def _machine() -> str:
    """Name the processor and the GPUs, as far as Linux does."""
    names = [platform.machine()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names += [line for line in lines if line.startswith(("model name", "CPU part"))][:1]
    for gpu in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with suppress(OSError):
            names += [line for line in gpu.read_text().splitlines() if line.startswith("Model")]
    return "\n".join(names)
