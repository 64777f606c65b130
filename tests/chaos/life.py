"""The module as edgeAgent runs it: a process started again when it ends, watched from outside."""

import asyncio
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

_OURS = ("SCORING_", "IOTEDGE_", "AZUREML_", "AML_", "EdgeHub", "EdgeModule", "CHAOS_")
_ROOT = Path(__file__).parents[2]


class End(NamedTuple):
    """How a life ended: at what time, with what code (minus n for signal n), and whether the round wanted it."""

    at: float
    code: int
    wanted: str


class Sample(NamedTuple):
    """What the status server said: 0 for no answer within the limit."""

    at: float
    pid: int
    live: int
    ready: int


def free_port() -> int:
    """Give a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str) -> list[str]:
    """Give the command line of `scoring-module` in this environment."""
    return [sys.executable, "-m", "module.cli", *arguments]


def _peak(pid: int) -> int:
    """Give the most resident memory that a process has had, in MB; 0 if it is gone."""
    try:
        return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) >> 10
    except (OSError, IndexError):
        return 0


_LOST = re.compile(rb"(\d+) messages of the journal are lost")
_DAMAGED = re.compile(rb"message \d+ of the journal is damaged")


class Module:
    """One module through all the lives of a round.

    Attributes:
        ends: of the lives that are over.
        samples: what /livez and /readyz said.
        peak: the most resident memory seen, in MB.
        environment: of its process; the variable CHAOS_MODULE names another checkout to take its code from.
        lost: what the metric scoring_journal_lost admitted, added up over lives.
        keep: start it again whenever it ends by itself.
        paused: it is stopped by SIGSTOP.
    """

    def __init__(self, folder: Path, environment: dict[str, str], group: Path | None) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self.port = free_port()
        self.environment = {
            **inherited,
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": os.environ.get("CHAOS_MODULE", str(_ROOT)),
            "SCORING_HTTP_PORT": str(self.port),
            **environment,
        }
        self.ends: list[End] = []
        self.samples: list[Sample] = []
        self.sessions: list[int] = []
        self.peak = 0
        self.lost = 0
        self.keep = True
        self.paused = False
        self.started = 0.0
        self.log = folder / "module.log"
        self._group, self._folder = group, folder
        self._process: asyncio.subprocess.Process | None = None
        self._wanted = ""
        self._over = asyncio.Event()
        self._over.set()
        self.lost_now = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def runs(self) -> bool:
        """Whether it lives."""
        return not self._over.is_set()

    @property
    def pid(self) -> int:
        """Its process, 0 if it is dead."""
        return self._process.pid if self._process is not None and self.runs else 0

    @property
    def admitted(self) -> int:
        """How many messages it has said are lost, in the metric or, in a life too short for that, in the log."""
        log = self.log.read_bytes() if self.log.exists() else b""
        said = sum(map(int, _LOST.findall(log))) + len(_DAMAGED.findall(log))
        return max(said, self.lost + self.lost_now)

    async def start(self) -> None:
        """Begin a life."""
        if self.runs:
            return
        self._over.clear()
        self.started = monotonic()
        self._wanted = ""
        into_group = ["sh", "-c", f'echo $$ > {self._group}/cgroup.procs; exec "$@"', "sh"] if self._group else []
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *into_group,
                *command("run"),
                env=self.environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.sessions.append(self._process.pid)
        self._tasks.append(asyncio.create_task(self._wait(self._process)))

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        wanted = self._wanted
        self.ends.append(End(monotonic(), code, wanted))
        self.lost, self.lost_now = self.lost + self.lost_now, 0
        self.paused = False
        self._over.set()
        if not wanted and self.keep:
            await asyncio.sleep(0.1)
            if self.keep:
                await self.start()

    def signal(self, number: int, wanted: str = "") -> None:
        """Send a signal; ``wanted``: why its end is no fault."""
        if self.runs and self._process is not None:
            self._wanted = wanted or self._wanted
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def ended(self, limit: float) -> bool:
        """Wait for the end of this life; say whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._over.wait()
                return True
        return False

    async def kill(self) -> None:
        """End this life with SIGKILL."""
        self.signal(signal.SIGKILL, "kill")
        await self._over.wait()

    async def stop(self, limit: float = 10.0) -> bool:
        """End this life with SIGTERM; False (and SIGKILL) if it took longer than a container engine waits."""
        self.signal(signal.SIGTERM, "stop")
        in_time = await self.ended(limit)
        if not in_time:
            await self.kill()
        return in_time

    async def get(self, path: str, limit: float = 3.0) -> tuple[int, str]:
        """Ask its status server; (0, "") while it does not answer."""
        writer = None
        try:
            async with asyncio.timeout(limit):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head, _, body = (await reader.read()).decode(errors="replace").partition("\r\n\r\n")
                return int(head.split()[1]), body
        except (OSError, TimeoutError, IndexError, ValueError):
            return 0, ""
        finally:
            if writer is not None:
                writer.transport.abort()

    async def metric(self, name: str) -> float:
        """Give the value of a metric, -1 if it cannot be had."""
        found = re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", (await self.get("/metrics"))[1], re.MULTILINE)
        return float(found[1]) if found else -1.0

    async def watch(self) -> None:
        """Look at it again and again, for ever."""
        while True:
            await asyncio.sleep(0.4)
            pid = self.pid
            if not pid or self.paused:
                continue
            live, ready = (await self.get("/livez"))[0], (await self.get("/readyz"))[0]
            if pid != self.pid or self.paused:
                continue
            self.samples.append(Sample(monotonic(), pid, live, ready))
            self.lost_now = max(self.lost_now, int(await self.metric("scoring_journal_lost")))
            self.peak = max(self.peak, _peak(pid))

    def left_behind(self) -> list[int]:
        """Give the processes of ended lives that still run."""
        alive = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError, IndexError, ValueError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    session, state = int(fields[3]), fields[0]
                    if session in self.sessions and session != self.pid and state != "Z":
                        alive.append(int(entry.name))
        return alive

    async def end(self) -> None:
        """End whatever is left of it, children too."""
        self.keep = False
        if self.runs:
            await self.kill()
        for pid in self.left_behind():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
