"""A process under measurement, alone on its core, and what the kernel says about it; the load stays on another core."""

import asyncio
import os
import platform
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
LOAD_CORE, SERVER_CORE = _CORES[0], _CORES[-1]
REPOSITORY = Path(__file__).parents[1]
BUILD = REPOSITORY / "build" / "benchmark"
"""Where models, environments, logs and results go."""

_TICKS = os.sysconf("SC_CLK_TCK")
_NOT_INHERITED = ("SCORING_", "IOTEDGE_", "AZUREML_", "AML_", "EdgeHub", "EdgeModule", "PYTHON")


class Server:
    """A process and its children on one core; its output goes to ``log``."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        name: str,
        environment: Mapping[str, str] | None = None,
        core: int = SERVER_CORE,
    ) -> None:
        """Start it in a folder of its own, the one of this name."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        self.log = BUILD / "logs" / name / "log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        os.sched_setaffinity(0, {core})  # a child inherits it
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [str(each) for each in argv],
                env={**inherited, "ORT_DISABLE_TELEMETRY": "1", **(environment or {})},
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=self.log.parent,
                start_new_session=True,
            )
        os.sched_setaffinity(0, {LOAD_CORE})

    async def stop(self) -> None:
        """End it, and what it leaves behind in its session."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, 10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def runs(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def cpu(self) -> float:
        """Give the CPU seconds that it and its living children have used."""
        stats = [text.rpartition(")")[2].split() for text in self._read("stat")]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS

    def pss(self) -> float:
        """Give its memory in MiB, pages shared with others counted in part."""
        lines = "\n".join(self._read("smaps_rollup")).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def _read(self, name: str) -> list[str]:
        """Read a file of every process of the tree."""
        texts, tree = [], [self._process.pid]
        for pid in tree:
            with suppress(FileNotFoundError, ProcessLookupError):
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    tree += map(int, children.read_text().split())
                texts.append(Path(f"/proc/{pid}/{name}").read_text())
        return texts


def machine() -> str:
    """Say what this runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, Linux, Python {platform.python_version()}"
