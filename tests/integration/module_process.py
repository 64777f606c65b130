"""The module as edgeAgent runs it: a process of its own, started again when it ends, killed when a test wants it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from addresses import free_port

from module.messages import InputMessage
from module.simulator.edge_hub.hub import EdgeHub
from module.simulator.routing.messages import RoutedMessage

SCRIPTS = Path(__file__).parent / "delivery_scripts"
_OURS = ("SCORING_", "IOTEDGE_", "AZUREML_", "AML_", "EdgeHub", "EdgeModule")


class Module:
    """One module through as many lives as a test gives it; use it with ``async with``.

    Attributes:
        codes: how each life that has ended did so.
    """

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        script: str = "slow",
        python: str = sys.executable,
        before: Sequence[str] = (),
        **more: object,
    ) -> None:
        self.codes: list[int] = []
        self._command = (*before, python, "-m", "module.cli", "run")
        self._log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self.port = free_port()
        self._environment = {
            **inherited,
            **environment,
            "SCORING_DIR": str(SCRIPTS / script),
            "SCORING_JOURNAL_DIR": str(folder / "journal"),
            "SCORING_HTTP_PORT": str(self.port),
            "SCORING_HUB_TIMEOUT_S": "30",
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **{name: str(value) for name, value in more.items()},
        }

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.runs:
            await self.kill()

    @property
    def runs(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process of this life."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What all lives wrote."""
        return self._log.read_text(errors="replace")

    async def start(self) -> None:
        """Begin a life."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=log, stderr=log
            )

    async def ended(self, limit: float = 30.0) -> int:
        """Wait for the end of this life; gives its exit code, minus n for signal n."""
        assert self._process is not None
        async with asyncio.timeout(limit):
            self.codes.append(await self._process.wait())
        return self.codes[-1]

    async def kill(self) -> None:
        """End this life with SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """Ask it to end with SIGTERM; gives its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended(10)

    async def revive(self) -> None:
        """Start it again whenever it ends by itself, for ever, as edgeAgent does (with shorter pauses)."""
        while True:
            await self.ended(600)
            await asyncio.sleep(0.05)
            await self.start()

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its status server; gives status and body, (0, "") while it does not answer."""
        try:
            async with asyncio.timeout(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = (await reader.read()).decode()
                writer.close()
        except (OSError, TimeoutError):
            return 0, ""
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    async def metric(self, name: str) -> float:
        """Give the value of a metric, 0 if it is not there."""
        _, page = await self.get("/metrics")
        found = re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0


class Answers:
    """What reached $upstream, by output: give ``take`` to the hub as ``on_upstream``."""

    def __init__(self) -> None:
        self.by_output: dict[str, list[int]] = {}

    def take(self, message: RoutedMessage) -> None:
        """Keep the number of the message that this one answers."""
        output = message.system.get("output_name", "")
        if output:
            self.by_output.setdefault(output, []).append(int(message.system["correlation_id"][1:]))

    @property
    def predictions(self) -> list[int]:
        """Numbers of the messages that were answered with a prediction, in the order of their answers."""
        return self.by_output.get("amlOutput", [])

    @property
    def errors(self) -> list[int]:
        """Numbers of the messages that were answered with an error."""
        return self.by_output.get("errors", [])

    @property
    def duplicates(self) -> int:
        """How many answers came more than once."""
        return sum(len(numbers) - len(set(numbers)) for numbers in self.by_output.values())

    def firsts(self) -> list[int]:
        """Give the predictions in order, each at its first time."""
        return list(dict.fromkeys(self.predictions))

    async def count(self, expected: int, limit: float = 60.0) -> None:
        """Wait until so many different messages are answered, predictions and errors."""
        async with asyncio.timeout(limit):
            while sum(len(set(numbers)) for numbers in self.by_output.values()) < expected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def send(hub: EdgeHub, numbers: range) -> None:
    """Send numbered telemetry."""
    for number in numbers:
        system = {"message_id": f"m{number}", "content_type": "application/json", "content_encoding": "utf-8"}
        await hub.send_telemetry(InputMessage(b'{"n": %d}' % number, "", system))
