"""One round: hub, wire and module are started, the plan happens, all is given time to finish, and is judged."""

import asyncio
import os
import random
import shutil
import signal
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import trustme

from . import aftermath, verdict, volumes
from .bodies import Input, make
from .faults import Stage, happen, quarantine
from .hub import DEVICE, HOST, MODULE, Hub
from .life import Module
from .line import Wire
from .plan import Event, Plan, kinds
from .preload import Control

_SCRIPTS = Path(__file__).with_name("scripts")
_PATIENCE = 60.0
"""Seconds without any progress, with all faults over, that are a stall."""
_LONGEST = 180.0
"""Seconds in which a few hundred messages are answered after the last fault, whatever came before."""
_QUIET = 6.0
"""Seconds after which nothing more is expected of a module that says itself that nothing waits."""
_LONG_PATIENCE = 150.0
"""… where a script says of a message that its failure is not the message's fault: it is tried for some time."""
_ENDING = ("stop unheard", "kill", "kill early", "stop", "flip", "pause")


@dataclass
class Place:
    """What all rounds share: an address of their own, certificates, the fault library, models."""

    folder: Path
    address: str
    server: ssl.SSLContext
    library: Path | None
    models: Path
    mounts: bool


@dataclass
class Result:
    """How a round went."""

    plan: Plan
    violations: list[str] = field(default_factory=list)
    messages: int = 0
    outputs: int = 0
    kills: int = 0
    lives: int = 0
    connections: int = 0
    faults: int = 0
    disk_errors: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    peak_mb: int = 0


def make_place(folder: Path, library: Path | None, models: Path) -> Place:
    """Make certificates and choose an address from this process's number."""
    number = os.getpid()
    address = f"127.{100 + number % 100}.{number // 100 % 250}.{1 + number // 25_000 % 250}"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address).configure_cert(context)
    return Place(folder, address, context, library, models, volumes.can_mount())


async def run_round(plan: Plan, place: Place) -> Result:
    """Let a plan happen; everything that it leaves lies in ``place.folder / "round-N"``."""
    folder = place.folder / f"round-{plan.number}"
    volumes.unmount(folder / "volume")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "plan").write_text(f"{plan}\n")
    with volumes.mounted(plan.folder, folder / "volume") as volume, _group(plan) as group:
        result = await _Round(plan, place, folder, volume, group).run()
        if plan.folder != "plain" and result.violations:
            shutil.copytree(volume, folder / "journal-copy", dirs_exist_ok=True)
    return result


@contextmanager
def _group(plan: Plan) -> Iterator[Path | None]:
    """Give a control group with the plan's memory limit, if there is one and groups can be made here."""
    root = Path("/sys/fs/cgroup/memory")
    group = root / f"chaos-{os.getpid()}"
    if not plan.memory_mb or not os.access(root, os.W_OK):
        yield None
        return
    with suppress(FileExistsError):
        group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(plan.memory_mb << 20))
    try:
        yield group
    finally:
        with suppress(OSError):
            group.rmdir()


class _Round:
    def __init__(self, plan: Plan, place: Place, folder: Path, volume: Path, group: Path | None) -> None:
        self.plan, self.place, self.folder = plan, place, folder
        draw = random.Random(f"{plan.seed}/{plan.number}/messages")
        self.inputs: list[list[Input]] = [make(draw, tag, kind, do) for tag, (kind, do) in enumerate(kinds(plan, draw))]
        self.journal = volume / "journal"
        self.control = Control(folder / "control", plan.seed) if place.library else None
        self.log = (folder / "hub.log").open("w", buffering=1)
        self.hub = Hub([], plan.window, self.log)
        self.module = Module(folder, self._environment(), group)
        self.violations: list[str] = []
        self.replayed = False

    def _environment(self) -> dict[str, str]:
        place, plan = self.place, self.plan
        key = b64encode(b"the key of this module").decode()
        script = place.models / "affine" if plan.script == "onnx" else _SCRIPTS / plan.script
        preload = {
            "LD_PRELOAD": str(place.library),
            "CHAOS_CONTROL": str(self.folder / "control"),
            "CHAOS_DIRECTORY": f"{self.journal}/",
        }
        return {
            "EdgeHubConnectionString": f"HostName={HOST};GatewayHostName={place.address};DeviceId={DEVICE};"
            f"ModuleId={MODULE};SharedAccessKey={key}",
            "EdgeModuleCACertificateFile": str(place.folder / "ca.pem"),
            "SCORING_DIR": str(script),
            "SCORING_JOURNAL_DIR": str(self.journal),
            "SCORING_CALIBRATION_S": "0",
            **(preload if place.library else {}),
            **plan.settings,
        }

    async def run(self) -> Result:
        began = monotonic()
        self.wire = Wire(await self.hub.start(self.place.address, self.place.server), self.place.address)
        await self.wire.start()
        draw = random.Random(f"{self.plan.seed}/{self.plan.number}/faults")
        self.stage = Stage(self.module, self.hub, self.wire, self.journal, self.control, draw)
        self.stage.stops = frozenset({1} if {"hang", "regex"} & set(self.plan.deeds) else ())
        watching = asyncio.create_task(self.module.watch())
        try:
            await self.module.start()
            await self._happen()
            await self._settle()
            await self._look_closely()
        finally:
            watching.cancel()
            await self.module.end()
            await self.wire.stop()
            await self.hub.stop()
        result = self._judge()
        result.seconds = monotonic() - began
        self.log.close()
        if self.control is not None:
            result.disk_errors = self.control.failed
            self.control.close()
        return result

    async def _happen(self) -> None:
        """Send everything, and let every fault happen."""
        for _ in range(200):
            if self.hub.connected or not self.module.runs:
                break
            await asyncio.sleep(0.05)
        began = monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            group.create_task(self._one_at_a_time(began))
        self.hub.manners.mark_again = True
        await self.module.start()

    async def _one_at_a_time(self, began: float) -> None:
        """Faults of the hub, the wire and the disk overlap; those that end the module wait for one another."""
        deaths = asyncio.Lock()

        async def one(event: Event) -> None:
            await asyncio.sleep(max(0.0, began + event.at - monotonic()))
            async with deaths if event.what in _ENDING else AsyncExitStack():
                await happen(self.stage, event)

        await asyncio.gather(*(one(event) for event in self.plan.events))

    async def _send(self) -> None:
        steps = max(1, int(self.plan.seconds / 0.05))
        size = -(-len(self.inputs) // steps)
        for first in range(0, len(self.inputs), size):
            self.hub.add(each for same in self.inputs[first : first + size] for each in same)
            await asyncio.sleep(0.05)

    def story(self) -> verdict.Story:
        """Give what is known so far."""
        plan = self.plan
        return verdict.Story(
            script=plan.script,
            inputs=self.hub.inputs,
            record=self.hub.record,
            unconfirmed=int(plan.settings.get("SCORING_MAX_UNCONFIRMED", verdict.UNCONFIRMED)),
            ends=self.hub.record.ends,
            deaths=[end.at for end in self.module.ends],
            clear=not plan.has("silence", "slow line", "pause", "cut", "garbage"),
            admitted=self.module.admitted,
            damaged=self.stage.flipped > 0,
            hindered=plan.has("disk", "fill", "lock", "pause") or "regex" in plan.deeds,
            replayed=self.replayed,
        )

    async def _settle(self) -> None:
        """Wait until all is acked and answered; a long time without progress is a stall."""
        patience = _LONG_PATIENCE if {"memory", "timeout"} & set(self.plan.deeds) else _PATIENCE
        before, since, began = (-1, -1, -1), monotonic(), monotonic()
        while True:
            story = self.story()
            waiting = verdict.pending(story)
            if self.hub.all_acked and not waiting and await self._is_empty():
                return
            acked = sum(1 for times in self.hub.record.deliveries if any(each.acked for each in times))
            now = (acked, len(self.hub.record.outputs), len(self.module.ends))
            if now != before:
                before, since = now, monotonic()
            if monotonic() - began > _LONGEST:
                self.violations.append(f"slow: {len(waiting)} inputs are unanswered after {_LONGEST:g} s")
                return
            if len(self.module.ends) > 35:
                self.violations.append(f"crash loop: {len(self.module.ends)} lives")
                return
            if self.hub.all_acked and monotonic() - since > _QUIET and await self._is_empty():
                return  # what is missing now is lost, which the verdict says
            if monotonic() - since > patience:
                ready, page = await self.module.get("/readyz")
                self.violations.append(
                    f"stall: {len(waiting)} inputs unanswered ({', '.join(waiting[:5])}), all acked: "
                    f"{self.hub.all_acked}, connected: {self.hub.connected}, "
                    f"no progress for {patience:g} s, /readyz {ready} {page[:200]!r}"
                )
                return
            await asyncio.sleep(0.3)

    async def _is_empty(self) -> bool:
        """Whether the module itself says that nothing waits."""
        return await self.module.metric("scoring_waiting") == 0

    async def _look_closely(self) -> None:
        """When all is done: ready, alive, its quarantine in order, and gone in time when it is told to."""
        if self.violations:
            return
        for path in ("/readyz", "/livez", "/metrics", "/"):
            if not await self._says_ok(path):
                self.violations.append(f"{path} does not say 200 when all is done: {await self.module.get(path)}")
        if self.plan.replay:
            await self._replay()
        await self._count_quarantined()
        if not await self.module.stop():
            self.violations.append("SIGTERM when all is done: it had not ended after 10 s")
        elif self.module.ends[-1].code != 0:
            self.violations.append(f"SIGTERM when all is done: exit code {self.module.ends[-1].code}")
        await asyncio.sleep(0.3)
        if left := self.module.left_behind():
            await asyncio.sleep(3)
            if left := self.module.left_behind():
                self.violations.append(f"processes are left behind: {left}")

    async def _says_ok(self, path: str) -> bool:
        for _ in range(60):
            if (await self.module.get(path))[0] == 200:
                return True
            await asyncio.sleep(0.25)
        return False

    async def _count_quarantined(self) -> None:
        """Every message that could not be scored is kept, as long as there is room."""
        small = self.plan.folder != "plain" or self.plan.has("disk", "fill")
        if self.stage.flipped or self.replayed or small:
            return
        listed = await quarantine(self.stage, "list", "--json")
        kept, wanted = listed.stdout.count("\n"), verdict.errored(self.story())
        if listed.returncode != 0:
            self.violations.append(f"quarantine list: exit {listed.returncode}: {listed.stderr[-300:]}")
        elif kept < wanted:
            self.violations.append(f"quarantine: {kept} kept of {wanted} messages that went to the errors output")

    async def _replay(self) -> None:
        """Put back what could not be scored: each is answered with an error again, nothing else happens."""
        before = [each.properties.get("chaos") for each in self.hub.record.outputs if each.output == "errors"]
        self.replayed = True
        done = await quarantine(self.stage, "replay")
        damaged = self.stage.flipped and "are damaged" in done.stderr  # which is exit 1: they stay
        if done.returncode != 0 and not damaged:
            self.violations.append(f"quarantine replay: exit {done.returncode}: {done.stderr[-300:]}")
            return
        for _ in range(100):
            after = [each.properties.get("chaos") for each in self.hub.record.outputs if each.output == "errors"]
            if set(after[len(before) :]) >= set(before):
                await self._settle()
                return
            await asyncio.sleep(0.2)
        missing = set(before) - set(after[len(before) :])
        if len(missing) <= self.stage.flipped:
            return  # a damaged record cannot be put back
        said = f"{len(missing)} of {len(set(before))} were not answered again, it said {done.stdout.strip()!r}"
        self.violations.append(f"quarantine replay: {said}")

    def _judge(self) -> Result:
        story = self.story()
        found = verdict.judge(story)
        said = [*self.violations, *self.stage.violations, *found.violations]
        result = Result(self.plan, [*said, *aftermath.look(self.plan, self.module, self.hub, self.journal)])
        result.messages, result.outputs = len(self.hub.inputs), len(self.hub.record.outputs)
        result.duplicates, result.faults = found.duplicates, self.stage.done
        result.kills = sum(1 for end in self.module.ends if end.code == -signal.SIGKILL)
        result.lives, result.connections = len(self.module.ends), self.hub.record.connections
        result.peak_mb = self.module.peak
        return result
