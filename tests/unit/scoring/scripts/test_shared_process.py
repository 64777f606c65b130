"""A script that takes the process for its own: signals, event loops, standard output and logging, each as it may."""

import json
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import command
import pytest
from unit_parts import scored

from scoring.scripts.loading import Script, load

pytestmark = pytest.mark.usefixtures("process")

T = TypeVar("T")
WORK = "import asyncio\nasync def work(): return 7\n"


def on_a_thread(function: Callable[[], T]) -> T:
    """Call a function where the module loads and calls scripts: not on the main thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result(30)


def twice(folder: Path, source: str) -> list[object]:
    """Load a script and score two messages, a batch each."""
    script = loaded(folder, source)
    return [answer for body in ("1", "2") for answer in scored(script, [body])]


def loaded(folder: Path, source: str) -> Script:
    (folder / "score.py").write_text(source)
    script = load(folder)
    script.init()
    return script


@pytest.mark.parametrize(
    "source",
    [
        "loop = asyncio.get_event_loop()\ndef init(): pass\ndef run(data): return loop.run_until_complete(work())",
        "def init():\n    global loop\n    loop = asyncio.get_event_loop()\n"
        "def run(data): return loop.run_until_complete(work())",
        "def init(): pass\ndef run(data): return asyncio.get_event_loop().run_until_complete(work())",
        "def init(): pass\ndef run(data): return asyncio.run(work())",
        "async def init(): pass\ndef run(data): return asyncio.get_event_loop().run_until_complete(work())",
        "def init(): asyncio.run(work())\ndef run(data): return asyncio.get_event_loop().run_until_complete(work())",
        "def init(): asyncio.get_event_loop().close()\nasync def run(data): return await work()",
        "def init(): pass\ndef run(data):\n    loop = asyncio.new_event_loop()\n    asyncio.set_event_loop(loop)\n"
        "    try: return loop.run_until_complete(work())\n    finally: loop.close()",
        "def init(): pass\nasync def run(data): return await asyncio.get_event_loop().run_in_executor(None, int, '7')",
    ],
)
@pytest.mark.parametrize("where", [on_a_thread, lambda function: function()])
def test_a_script_has_an_event_loop(tmp_path: Path, source: str, where: Callable[[Callable[[], T]], T]) -> None:
    """As on the main thread of Azure ML's server; call after call."""
    assert where(lambda: twice(tmp_path, WORK + source)) == [7, 7]


def test_signals_that_a_script_asks_for_have_no_effect(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning; neither its handler nor its timer, whose signal would end the process, comes into force."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)
    source = (
        "import signal, time\nfrom signal import alarm\ndef init(): signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    )
    source += "def run(data):\n    was = signal.signal(signal.SIGALRM, lambda *_: None)\n    alarm(1)\n"
    source += (
        "    signal.setitimer(signal.ITIMER_REAL, 0.01)\n    time.sleep(0.05)\n    alarm(0)\n    return str(was)\n"
    )
    with caplog.at_level(logging.WARNING, logger="scoring"):
        assert on_a_thread(lambda: twice(tmp_path, source)) == [str(before[1])] * 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    assert caplog.messages == [
        "the script calls signal.signal(), which has no effect here: signals are the module's",
    ]
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 1  # the one of this test's own limit


def test_signals_of_other_threads_are_pythons(tmp_path: Path) -> None:
    """The main thread sets handlers as ever, any other is refused."""
    on_a_thread(lambda: loaded(tmp_path, "def init(): pass\ndef run(data): return 1"))
    was = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
    signal.signal(signal.SIGUSR2, was)
    with pytest.raises(ValueError, match="main thread"):
        on_a_thread(lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN))


PRINTS = """
import os, subprocess, sys, threading, time
print("said at import")
def say_on():
    while True:
        print("said beside us")
        time.sleep(0.001)
threading.Thread(target=say_on, daemon=True).start()
def init(): sys.__stdout__.write("said past us\\n")
def run(data):
    print("said")
    os.write(1, b"said by the system\\n")
    subprocess.run(["echo", "said by another"])
    return 1
"""


@pytest.mark.parametrize(
    "arguments",
    [("replay", "in.jsonl"), ("replay", "in.jsonl", "-o", "out.jsonl"), ("check", "--json", "--sample", "in.jsonl")],
)
def test_nothing_that_a_script_says_is_in_a_commands_answer(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """By whatever way it goes there; it is on standard error."""
    (tmp_path / "score.py").write_text(PRINTS)
    (tmp_path / "in.jsonl").write_text("1\n")
    ended = command.run(*arguments, "--scoring-dir", tmp_path, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    if "-o" in arguments:
        assert ended.stdout == b""
    answer = json.loads((tmp_path / "out.jsonl").read_bytes() if "-o" in arguments else ended.stdout)
    assert answer.get("body", 1) == 1
    for text in ("at import", "past us", "by the system", "by another", "beside us"):
        assert f"said {text}".encode() in ended.stderr


@pytest.mark.parametrize(
    "silence",
    [
        "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})",
        "logging.basicConfig(level='CRITICAL', force=True)",
        "logging.disable(logging.CRITICAL)",
        "logging.shutdown()",
    ],
)
def test_a_script_that_configures_logging_does_not_silence_ours(tmp_path: Path, silence: str) -> None:
    """What went to the errors output is still said."""
    (tmp_path / "score.py").write_text(f"import logging, logging.config\ndef init(): {silence}\ndef run(data): 1 / 0\n")
    (tmp_path / "in.jsonl").write_text("1\n")
    ended = command.run("replay", "in.jsonl", "--scoring-dir", tmp_path, cwd=tmp_path)
    assert b"a message went to the errors output: run() failed: score.py line 3: ZeroDivisionError" in ended.stderr


def test_the_script_is_told_where_it_is(tmp_path: Path) -> None:
    """As in Azure ML's images, whatever these variables said before."""
    os.environ["AML_APP_ROOT"] = "/elsewhere"
    source = "import os\nSET = [os.environ[name] for name in ('AML_APP_ROOT', 'AZUREML_ENTRY_SCRIPT')]\n"
    script = loaded(tmp_path, f"{source}def init(): pass\ndef run(data): return SET")
    assert scored(script, ["1"]) == [[str(tmp_path), "score.py"]]
