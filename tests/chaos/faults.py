"""What can happen to a module in a round: one function each, which ends when the fault is over."""

import asyncio
import random
import signal
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from .hub import Hub
from .life import Module, command
from .line import Wire
from .packets import packet
from .plan import Event
from .preload import Control


@dataclass
class Stage:
    """Everything that a fault may touch.

    Attributes:
        journal: the module's journal directory.
        control: of the fault library; None without a compiler.
        violations: what a fault itself saw going wrong.
        done: how many faults happened.
        flipped: how often bits of the journal were flipped.
        stops: exit codes that a stop may have beside 0, because a script hangs.
        beside: held while a second process tries the journal; ended then, the first would leave it
            to the second.
    """

    module: Module
    hub: Hub
    wire: Wire
    journal: Path
    control: Control | None
    draw: random.Random
    violations: list[str] = field(default_factory=list)
    done: int = 0
    flipped: int = 0
    stops: frozenset[int] = frozenset()
    beside: asyncio.Lock = field(default_factory=asyncio.Lock)


async def happen(stage: Stage, event: Event) -> None:
    """Let an event happen."""
    stage.hub.say(f"* {event.what} {event.how} {event.seconds:g}")
    stage.done += 1
    await FAULTS[event.what](stage, event)
    stage.hub.say(f"* {event.what} is over")


async def _kill(stage: Stage, event: Event) -> None:
    async with stage.beside:
        if stage.module.runs:
            await stage.module.kill()
    await asyncio.sleep(0.05)
    await stage.module.start()


async def _kill_early(stage: Stage, event: Event) -> None:
    """Twice: the second time while it starts, or salvages."""
    await _kill(stage, event)
    await asyncio.sleep(event.seconds / 4)
    await _kill(stage, event)


async def _stop(stage: Stage, event: Event) -> None:
    await _stopped(stage)
    await stage.module.start()


async def _stopped(stage: Stage) -> None:
    """End it by SIGTERM; it must not take longer than a container engine waits."""
    module = stage.module
    async with stage.beside:
        if not module.runs or module.paused:
            return
        begun = len(module.ends)
        if not await module.stop():
            stage.violations.append("SIGTERM: it had not ended after 10 s")
        elif module.ends[begun].code not in (0, -signal.SIGTERM, *stage.stops):
            stage.violations.append(f"SIGTERM: exit code {module.ends[begun].code}")


async def _pause(stage: Stage, event: Event) -> None:
    """SIGSTOP, as `docker pause`; the run time-out is 2 s in such a round."""
    module, pid = stage.module, stage.module.pid
    if not pid:
        return
    module.paused = True
    module.signal(signal.SIGSTOP)
    await asyncio.sleep(event.seconds / 4 if event.how == "short" else 2.5 + event.seconds)
    if module.pid == pid:
        module.signal(signal.SIGCONT)
        await asyncio.sleep(1.0)
        module.paused = False


async def _reset(stage: Stage, event: Event) -> None:
    stage.wire.reset()


async def _silence(stage: Stage, event: Event) -> None:
    await _while(stage.wire, "silent", True, event)


async def _mute(stage: Stage, event: Event) -> None:
    stage.wire.mute = True
    stage.wire.reset()
    await asyncio.sleep(event.seconds)
    stage.wire.mute = False
    stage.wire.reset()


async def _stop_unheard(stage: Stage, event: Event) -> None:
    """SIGTERM before the first connection, to a hub that takes TCP connections and says nothing."""
    await _stopped(stage)
    stage.wire.mute = True
    await stage.module.start()
    await asyncio.sleep(1 + event.seconds)
    await _stopped(stage)
    stage.wire.mute = False
    await stage.module.start()


async def _closed(stage: Stage, event: Event) -> None:
    stage.wire.closed = True
    stage.wire.reset()
    await asyncio.sleep(event.seconds + 2)
    await _is_not_ready(stage, "the hub refuses connections")
    stage.wire.closed = False


async def _refuse(stage: Stage, event: Event) -> None:
    stage.hub.manners.refuse = int(event.how)
    stage.hub.drop()
    await asyncio.sleep(event.seconds + 2)
    await _is_not_ready(stage, f"the hub answers CONNECT with {event.how}")
    stage.hub.manners.refuse = 0


async def _is_not_ready(stage: Stage, why: str) -> None:
    """Ask twice: one that has just been let go on answers before it has looked at its connection."""
    for _ in range(2):
        away = stage.module.runs and not stage.hub.connected and not stage.module.paused
        ready, _text = await stage.module.get("/readyz")
        if not away or ready != 200 or stage.hub.connected:
            return
        await asyncio.sleep(1.0)
    stage.violations.append(f"/readyz says 200 while {why}")


async def _withhold(stage: Stage, event: Event) -> None:
    """Outputs are stored and never confirmed; the end of the connection ends it."""
    await _while(stage.hub.manners, "withhold", True, event)
    stage.hub.drop()


async def _late(stage: Stage, event: Event) -> None:
    await _while(stage.hub.manners, "delay", 0.5, event)


async def _pace(stage: Stage, event: Event) -> None:
    """Confirms slowly but steadily, for longer than the stall time-out."""
    connections = stage.hub.record.connections
    await _while(stage.hub.manners, "pace", 0.2, Event(event.at, event.what, event.seconds + 3))
    stage.hub.say(f"* connections while it was slow: {stage.hub.record.connections - connections}")


async def _slow_line(stage: Stage, event: Event) -> None:
    await _while(stage.wire, "slow", 0.01, event)


async def _forget_acks(stage: Stage, event: Event) -> None:
    """A hub that has forgotten its last acks sends those messages again, with and without the DUP flag."""
    stage.hub.manners.forget_acks = stage.draw.choice((1, 5, 50, 150))
    stage.hub.manners.mark_again = stage.draw.random() < 0.5
    stage.hub.drop()


async def _cut(stage: Stage, event: Event) -> None:
    stage.wire.cut_after = int(event.how)


async def _garbage(stage: Stage, event: Event) -> None:
    for _ in range(100):
        if stage.hub.connected:
            break
        await asyncio.sleep(0.05)
    stage.hub.send_raw(_GARBAGE[event.how])
    if event.how in ("endless", "half"):
        await asyncio.sleep(1.0)
        stage.hub.drop()


async def _disk(stage: Stage, event: Event) -> None:
    if stage.control is not None:
        stage.control.disk(event.how)
        await asyncio.sleep(event.seconds)
        stage.control.disk("")


async def _clock(stage: Stage, event: Event) -> None:
    if stage.control is not None:
        stage.control.clock(int(event.how))
        await asyncio.sleep(event.seconds)
        stage.control.clock(0)


async def _fill(stage: Stage, event: Event) -> None:
    """Another writer takes all that is left of the journal's volume, for a while."""
    filler = stage.journal.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while file.tell() < 256 << 20 and file.write(b"x" * size):  # never a machine's own disk
                    pass
    await asyncio.sleep(event.seconds)
    filler.unlink(missing_ok=True)


async def _lock(stage: Stage, event: Event) -> None:
    """Another program holds the journal's write lock, or reads for long, as a backup or a curious person does."""
    begin = "BEGIN EXCLUSIVE" if event.how == "write" else "BEGIN"
    for path in sorted(stage.journal.glob("*.sqlite3"))[:1]:
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as other:
            other.execute(begin)
            other.execute("SELECT count(*) FROM sqlite_master").fetchall()
            await _is_alive_after(stage, event.seconds, f"another program holds the journal ({event.how})")
            other.execute("ROLLBACK")


async def _slow_clients(stage: Stage, event: Event) -> None:
    """Many clients of the status server say nothing."""
    writers = []
    for _ in range(60):
        with suppress(OSError):
            writers.append((await asyncio.open_connection("127.0.0.1", stage.module.port))[1])
    await _is_alive_after(stage, event.seconds, "60 clients say nothing")
    for writer in writers:
        writer.transport.abort()


async def _is_alive_after(stage: Stage, seconds: float, why: str) -> None:
    """Let time pass; then /livez must answer in 4 s, if nothing has ended or stopped the module meanwhile."""
    pid = stage.module.pid
    await asyncio.sleep(seconds)
    was_up = any(sample.pid == pid and sample.live == 200 for sample in stage.module.samples)
    live, _ = await stage.module.get("/livez", limit=4.0)
    await asyncio.sleep(0.5)  # a death at this very moment is heard of a little later
    if was_up and not live and pid == stage.module.pid and not stage.module.paused:
        stage.violations.append(f"/livez does not answer within 4 s while {why}")


async def _flip(stage: Stage, event: Event) -> None:
    """Stop it with messages left, and flip bits in the closed journal, or cut it off, or put noise into it."""
    stage.hub.manners.withhold = True
    await asyncio.sleep(0.5)
    await _stopped(stage)
    stage.hub.manners.withhold = False
    if not list(stage.journal.glob("*-wal")):  # closed: all is in the main file
        for path in sorted(stage.journal.glob("journal.sqlite3"))[:1]:
            path.write_bytes(_damaged(path.read_bytes(), event.how, stage.draw))
            stage.flipped += 1
    await stage.module.start()


def _damaged(data: bytes, how: str, draw: random.Random) -> bytes:
    if how == "cut":
        return data[: draw.randrange(len(data))]
    if how == "noise":
        start = draw.randrange(len(data))
        return data[:start] + draw.randbytes(min(5000, len(data) - start)) + data[start + 5000 :]
    flipped = bytearray(data)
    for _ in range(int(how)):
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


async def _second(stage: Stage, event: Event) -> None:
    """A second process on the same journal ends with exit code 4 and harms nobody.

    If the first one dies by itself in this moment, the second is the module for a while: its log is kept, since what it
    admits counts.
    """
    module = stage.module
    async with stage.beside:
        if not module.runs or module.started + 3 > monotonic():
            return
        lives = len(module.ends)
        environment = {n: v for n, v in module.environment.items() if n != "LD_PRELOAD"} | {"SCORING_HTTP_PORT": "0"}
        with module.log.open("ab") as log:
            second = await asyncio.create_subprocess_exec(
                *command("run"), env=environment, cwd=module.log.parent, stdout=log, stderr=asyncio.subprocess.STDOUT
            )
        code = None
        try:
            async with asyncio.timeout(20):
                code = await second.wait()
        except TimeoutError:
            second.kill()
    if code != 4 and lives == len(module.ends):
        stage.violations.append(f"a second process on the same journal: exit code {code} in place of 4")


async def _list(stage: Stage, event: Event) -> None:
    done = await quarantine(stage, "list")
    if done.returncode not in (0, 2):  # 2: there is no journal yet
        stage.violations.append(f"quarantine list: exit {done.returncode}: {done.stderr[-300:]}")


async def quarantine(stage: Stage, what: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run `scoring-module quarantine` beside the module."""
    words = command("quarantine", what, "--journal-dir", str(stage.journal), *more)
    environment = {n: v for n, v in stage.module.environment.items() if n not in ("LD_PRELOAD", "CHAOS_CONTROL")}
    return await asyncio.to_thread(
        subprocess.run,
        words,
        env=environment,
        cwd=stage.module.log.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def _while(thing: object, name: str, value: object, event: Event) -> None:
    before = getattr(thing, name)
    setattr(thing, name, value)
    await asyncio.sleep(event.seconds)
    setattr(thing, name, type(before)())


FAULTS: dict[str, Callable[[Stage, Event], Awaitable[None]]] = {
    "kill": _kill,
    "kill early": _kill_early,
    "stop": _stop,
    "pause": _pause,
    "reset": _reset,
    "silence": _silence,
    "mute": _mute,
    "stop unheard": _stop_unheard,
    "slow clients": _slow_clients,
    "second": _second,
    "closed": _closed,
    "refuse": _refuse,
    "withhold": _withhold,
    "late": _late,
    "pace": _pace,
    "garbage": _garbage,
    "cut": _cut,
    "slow line": _slow_line,
    "forget acks": _forget_acks,
    "disk": _disk,
    "fill": _fill,
    "clock": _clock,
    "lock": _lock,
    "flip": _flip,
    "list": _list,
}

_GARBAGE = {
    "short puback": bytes.fromhex("400100"),
    "short suback": bytes.fromhex("9000"),
    "connack": bytes.fromhex("20020000"),
    "kind 0": bytes.fromhex("0000"),
    "kind 15": bytes.fromhex("f000"),
    "qos 3": bytes.fromhex("36050001610001"),
    "endless": bytes.fromhex("32ffffff7f") + b"x" * 1000,
    "twin": packet(3, 0, b"\x00\x1e$iothub/twin/res/abc/?$rid=\xc3\xa9x{"),
    "method": packet(3, 0, b"\x00\x1c$iothub/methods/POST/x/?$rd={"),
    "bad utf-8": packet(3, 2, b"\x00\x04\xff\xfe\xfd\xfc\x00\x07x"),
    "half": bytes.fromhex("3264001061"),
}
