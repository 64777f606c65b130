"""The watcher and the end of the process, each in a process of its own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
_SCRIPT = """
import asyncio, ctypes, logging, os, signal, sys, time
from module.process.ending import Ending
from module.transports.sdk_client import check_environment
from module.process.watcher import Watcher

hold = ctypes.PyDLL(None).sleep
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")

async def main():
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    ending = Ending({seconds}, asked.set)
    ending.forget = lambda: print("forgotten", flush=True)
    watcher = Watcher("edge", {seconds}, None)
    watcher.start()
    watcher.expect({limit}, signal.SIGHUP, "it hangs 100 %")
    print("begun", flush=True)
{body}

asyncio.run(main())
"""


def begin(body: str, seconds: float = 1.0, limit: float = 1.0) -> "subprocess.Popen[str]":
    """Start a process that does this while it is watched, and wait until it is."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT.format(body=lines, seconds=seconds, limit=limit)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def ended(process: "subprocess.Popen[str]", limit: float = 10.0) -> tuple[int, str]:
    """Give the exit code and what it said."""
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()  # ends with the process, and with its watcher, which has it too
    return process.wait(limit), said


def test_an_event_loop_that_is_held_is_ended() -> None:
    """As by a bare model that is scored on it; with the sentence and the stack."""
    began = time.monotonic()
    code, said = ended(begin("hold(60)"))
    assert (code, time.monotonic() - began < 6) == (1, True)
    assert said.startswith("<3> ")
    assert "it hangs 100 %, and held the interpreter" in said
    assert "in main" in said


def test_an_event_loop_that_turns_is_left_alone() -> None:
    """However long it takes."""
    assert ended(begin("await asyncio.sleep(4)\nos._exit(7)"))[0] == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("body", "code"),
    [("await asyncio.sleep(60)", 0), ("time.sleep(60)", 1), ("await asyncio.to_thread(hold, 60)", 1)],
)
def test_a_stop_has_one_deadline(body: str, code: int, number: signal.Signals) -> None:
    """Whatever is under way: the event loop turns, stands still, or another thread holds the lock."""
    process = begin(body, limit=100)
    time.sleep(0.2)
    process.send_signal(number)
    began = time.monotonic()
    ended_with, said = ended(process)
    assert ended_with == code
    assert time.monotonic() - began < 3
    assert "SCORING_STOP_TIMEOUT_S" in said


def test_a_second_signal_ends_it_at_once() -> None:
    """With the same code."""
    process = begin("await asked.wait()\nprint('asked', flush=True)\nawait asyncio.sleep(60)", seconds=20)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    while process.stdout.readline() != "asked\n":
        pass
    process.send_signal(signal.SIGTERM)
    code, said = ended(process, 3)
    assert (code, "forgotten" in said) == (0, True)


_THEIRS = """
def theirs():
    raise KeyError("theirs")
def known():
    check_environment({})
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("loop.call_soon(theirs)", 7),
        ("asyncio.ensure_future(asyncio.sleep('theirs'))", 7),
        ("loop.call_soon(ending._signalled, None, None)", 1),
        ("loop.call_soon(known)", 7),
    ],
)
def test_a_part_of_ours_never_dies_unnoticed(body: str, code: int) -> None:
    """A callback of ours that raises ends the process; what is the SDK's is logged, what we raise by ourselves too."""
    code_, said = ended(begin(f"{_THEIRS}\n{body}\nimport gc; await asyncio.sleep(0.3); gc.collect()\nos._exit(7)"))
    assert code_ == code
    assert said
    assert ("please report this" in said) == (code == 1)


def test_it_needs_no_watcher() -> None:
    """Where its own is killed and no other process can be started it serves on."""
    body = "sys.executable = '/absent'; watcher._process.kill(); watcher._next = 0"
    code, said = ended(begin(f"{body}\nawait asyncio.sleep(2.5)\nos._exit(7)"))
    assert code == 7
    assert "no process can be started that watches for hangs" in said


@pytest.mark.parametrize(("left", "codes"), [("os.close(ear)", {1}), ("os.write(mouth, bytes(65536))", {1, -9})])
def test_a_log_that_nobody_reads_keeps_nobody_alive(left: str, codes: set[int]) -> None:
    """Its reader is gone, or stands still while the pipe is full."""
    body = f"ear, mouth = os.pipe(); {left}; os.dup2(mouth, 2); watcher._process.kill(); watcher._next = 0"
    assert ended(begin(f"{body}\nawait asyncio.sleep(1.5)\nhold(60)"), 10)[0] in codes
