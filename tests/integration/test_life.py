"""The life of the process: a hang of any kind ends it, a pause does not, and a stop is over in time at every stage."""

import asyncio
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from addresses import free_address
from module_process import Answers, Module, send

from module.journal.quarantine import quarantined
from module.simulator.edge_hub.hub import EdgeHub


@pytest.fixture
def answers() -> Answers:
    """Give what reaches $upstream."""
    return Answers()


@pytest.fixture
async def hub(answers: Answers) -> AsyncIterator[EdgeHub]:
    """Give a hub with one message in flight."""
    async with EdgeHub(listen=free_address(), on_upstream=answers.take) as hub:
        yield hub


@pytest.fixture
def silent() -> Iterator[str]:
    """Give an address that accepts connections where edgeHub should be, and says nothing."""
    with socket.create_server((address := free_address(), 8883)):
        yield address


async def _says(module: Module, text: str, limit: float = 20.0) -> None:
    async with asyncio.timeout(limit):
        while text not in module.log:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# What the script forks


async def test_what_a_script_forks_is_a_process_of_its_own(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """SIGTERM ends it and not the module; one that outlives a killed module holds neither its port nor its journal."""
    async with Module(hub.environment, tmp_path, "forks", SCORING_RUN_TIMEOUT_S=20) as module:
        await send(hub, range(20))
        await answers.count(20)
        await module.kill()
        await module.start()
        await send(hub, range(20, 40))
        await answers.count(40)
        assert answers.firsts() == list(range(40))
        assert await module.stop() == 0
        first, second = (int(pid) for pid in re.findall(r"worker (\d+)", module.log))
        assert "stopped within" not in module.log
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(10):
        while os.path.exists(f"/proc/{second}/stat"):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


# Hangs


async def test_a_run_that_holds_the_interpreter_ends_the_process_and_is_found(
    hub: EdgeHub, answers: Answers, tmp_path: Path
) -> None:
    """Exit code 1 within the time-out and a little, with a stack; after two such deaths that message is condemned."""
    async with Module(hub.environment, tmp_path, "holds", SCORING_RUN_TIMEOUT_S=2) as module:
        reviving = asyncio.create_task(module.revive())
        sending = asyncio.create_task(send(hub, range(60)))
        await answers.count(60, 60)
        await sending
        reviving.cancel()
        assert set(module.codes) == {1}
        assert len(module.codes) in (2, 3)
        assert answers.firsts() == [n for n in range(60) if n != 30]
        assert answers.errors == [30]
        await _says(module, "in hold")  # its watcher writes after its end
        assert "SCORING_RUN_TIMEOUT_S" in module.log


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare (util-linux)")
async def test_the_first_process_of_a_container_ends_too(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """The kernel keeps every signal without a handler from it, SIGKILL from inside as well."""
    before = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    async with Module(hub.environment, tmp_path, "holds", before=before, SCORING_RUN_TIMEOUT_S=2) as module:
        await send(hub, range(30, 31))
        assert await module.ended(20) == 1
        assert "SCORING_RUN_TIMEOUT_S" in module.log
        await module.start()
        assert await module.ended(20) == 1
        await _says(module, "in hold")  # its watcher writes after its end
        await module.start()
        await answers.count(1)
        assert answers.errors == [30]
        (first,) = _children(module.pid)
        os.kill(first, signal.SIGTERM)
        assert await module.ended(10) == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare (util-linux)")
async def test_the_first_process_of_a_container_hears_a_stop_while_it_starts(hub: EdgeHub, tmp_path: Path) -> None:
    """Without a handler the kernel would drop the signal, and the module would run on until it is killed."""
    before = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    async with Module(hub.environment, tmp_path, "slow", before=before) as module:
        async with asyncio.timeout(20):
            while not (children := _children(module.pid)) or b"module.cli" not in _command_of(children[0]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while not _handles(children[0], signal.SIGTERM):  # noqa: ASYNC110 - the interpreter's own start
                await asyncio.sleep(0.005)
        os.kill(children[0], signal.SIGTERM)
        assert await module.ended(10) == 0
        assert "ready after" not in module.log


def _command_of(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _handles(process: int, number: signal.Signals) -> bool:
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("hold", ["regex", "sleep"])
async def test_an_init_that_holds_the_interpreter_ends_the_process(hub: EdgeHub, tmp_path: Path, hold: str) -> None:
    """Exit code 3, as every init() that hangs, with its stack in the log, whether it turns or waits."""
    more = {"SCORING_INIT_TIMEOUT_S": 2, "TEST_HOLD": hold, "TEST_HOLD_IN": "init"}
    async with Module(hub.environment, tmp_path, "holds", **more) as module:
        began = time.monotonic()
        assert await module.ended(30) == 3
        assert time.monotonic() - began < 20
        assert "SCORING_INIT_TIMEOUT_S" in module.log
        await _says(module, "in hold")  # its watcher writes after its end


@pytest.mark.parametrize("script", ["holds", "slow"])
async def test_a_stop_is_in_time_while_run_hangs_and_blames_nobody(
    hub: EdgeHub, answers: Answers, tmp_path: Path, script: str
) -> None:
    """Whether it holds the interpreter or not."""
    for _ in range(2):
        async with Module(
            hub.environment, tmp_path, script, SCORING_STOP_TIMEOUT_S=2, TEST_RUN_SECONDS=30, SCORING_MAX_BATCH_SIZE=1
        ) as module:
            if not hub.session.acked:
                await send(hub, range(30, 31))
            async with asyncio.timeout(20):
                while "ready after" not in module.log.rpartition("messages are left")[2]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await asyncio.sleep(1)
            began = time.monotonic()
            await module.stop()
            assert time.monotonic() - began < 6
    async with Module(hub.environment, tmp_path, "slow", TEST_RUN_SECONDS=0) as module:
        await answers.count(1)
        assert (answers.predictions, answers.errors) == ([30], [])
        assert list(quarantined(tmp_path / "journal")) == []
    assert "crashed inside run()" not in module.log


async def test_what_an_error_says_cannot_stop_the_loop(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """100,000 frames, an exception without words, one of 100 MB: each is its message's error, and soon."""
    async with Module(hub.environment, tmp_path, "recurses") as module:
        await send(hub, range(10))
        await answers.count(10, 20)
        assert answers.firsts() == [0, 1, 2, 4, 6, 8, 9]
        assert answers.errors == [3, 5, 7]
        assert await module.stop() == 0
        assert module.codes == [0]


# Pauses


@pytest.mark.parametrize("whole", [False, True])
async def test_a_pause_is_no_hang(hub: EdgeHub, answers: Answers, tmp_path: Path, whole: bool) -> None:
    """SIGSTOP for longer than run() may take, in the middle of a run(), and SIGCONT: all is answered by one process.

    With its watcher, as `docker pause` does, or without.
    """
    async with Module(
        hub.environment, tmp_path, SCORING_RUN_TIMEOUT_S=2, TEST_RUN_SECONDS=1.2, SCORING_MAX_BATCH_SIZE=1
    ) as module:
        await send(hub, range(3))
        await _says(module, "ready after")
        await asyncio.sleep(0.4)
        paused = [module.pid, *_children(module.pid)] if whole else [module.pid]
        for pid in paused:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(6)
        for pid in reversed(paused):  # the worst order: the watcher looks first
            os.kill(pid, signal.SIGCONT)
        await answers.count(3, 30)
        assert answers.firsts() == [0, 1, 2]
        assert module.runs
        assert await module.stop() == 0
        assert module.codes == [0]


# The one that watches


async def test_nothing_is_left_of_a_killed_process_and_a_killed_watcher_does_no_harm(
    hub: EdgeHub, answers: Answers, tmp_path: Path
) -> None:
    """Its watcher ends with it; without its watcher it serves on, and gets another one."""
    async with Module(hub.environment, tmp_path, SCORING_RUN_TIMEOUT_S=2, TEST_RUN_SECONDS=0) as module:
        await send(hub, range(10))
        await answers.count(10)
        (watcher,) = _children(module.pid)
        os.kill(watcher, signal.SIGKILL)
        async with asyncio.timeout(10):
            while not (again := _children(module.pid)) or again == [watcher]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await send(hub, range(10, 20))
        await answers.count(20)
        assert module.runs
        await module.kill()
        async with asyncio.timeout(5):
            while Path(f"/proc/{again[0]}").exists():  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# Stopping


@pytest.mark.parametrize(
    ("number", "after"),
    [(signal.SIGTERM, 0.0), (signal.SIGTERM, 0.3), (signal.SIGTERM, 0.6), (signal.SIGINT, 0.4), (signal.SIGINT, 0.7)],
)
async def test_a_stop_while_it_starts(hub: EdgeHub, tmp_path: Path, number: signal.Signals, after: float) -> None:
    """Exit code 0 at once, whatever it was at."""
    async with Module(hub.environment, tmp_path) as module:
        async with asyncio.timeout(5):
            while not _catches(module.pid, signal.SIGTERM):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await asyncio.sleep(after)
        os.kill(module.pid, number)
        assert await module.ended(6) == 0


@pytest.mark.parametrize(("hold", "code"), [("nap", 0), ("sleep", 1)])
async def test_a_stop_while_init_hangs(hub: EdgeHub, tmp_path: Path, hold: str, code: int) -> None:
    """At once if it lets go of the interpreter, else at the deadline."""
    more = {"SCORING_STOP_TIMEOUT_S": 2, "TEST_HOLD": hold, "TEST_HOLD_IN": "init"}
    async with Module(hub.environment, tmp_path, "holds", **more) as module:
        async with asyncio.timeout(5):
            while not (tmp_path / "journal" / "crash.txt").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await module.stop() == code
        assert time.monotonic() - began < 6


def _catches(pid: int, number: int) -> bool:
    """Say whether a process has a handler for a signal; before it has one nobody could do anything."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1) and "python" in status


async def test_a_stop_while_the_hub_accepts_and_says_nothing(hub: EdgeHub, silent: str, tmp_path: Path) -> None:
    """Half-way through the first TLS handshake."""
    environment = {**hub.environment, "IOTEDGE_GATEWAYHOSTNAME": silent}
    async with Module(environment, tmp_path, SCORING_STOP_TIMEOUT_S=3) as module:
        async with asyncio.timeout(10):
            while (await module.get("/livez"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert await module.stop() == 0


async def test_a_second_signal_ends_it_at_once(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """With the same exit code, and nobody is to blame."""
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=30, SCORING_MAX_BATCH_SIZE=1) as module:
        await send(hub, range(2))
        await _says(module, "ready after")
        await asyncio.sleep(0.5)
        os.kill(module.pid, signal.SIGTERM)
        await _says(module, "SIGTERM: stopping")
        await asyncio.sleep(0.2)
        began = time.monotonic()
        assert await module.stop() == 0
        assert time.monotonic() - began < 5
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0) as module:
        await answers.count(2)
        assert (answers.predictions, answers.errors) == ([0, 1], [])


async def test_a_stop_while_the_hub_is_dead(hub: EdgeHub, answers: Answers, tmp_path: Path) -> None:
    """Answers are on their way and nobody confirms them: within the time-out, all of it."""
    async with Module(hub.environment, tmp_path, TEST_RUN_SECONDS=0, SCORING_STOP_TIMEOUT_S=3) as module:
        await send(hub, range(5))
        await answers.count(5)
        hub.faults.withhold_pubacks = True
        await send(hub, range(5, 10))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await module.stop() == 0
        assert time.monotonic() - began < 6
