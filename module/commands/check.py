"""`scoring-module check`: tries a scoring directory and says what was found, for people or as JSON."""

import argparse
import faulthandler
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from ..errors import ModuleError, SettingsError
from ..streams import keep_stderr, stderr
from ..transports import BODIES
from ..written import refusal
from . import Add, Commands, settings_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ..messages import InputMessage
    from ..settings import Settings
    from ..trial.observer import Stage
    from ..trial.trial import Trial

_GRACE = 5.0
"""Seconds that the process of the trial has to say by itself that init() or run() hangs."""

_MERGING = 120.0
"""Seconds that the trial of merged requests may take, beside one call."""

_PR_SET_PDEATHSIG = 1
"""Of <linux/prctl.h>: the signal that a process gets when its parent ends."""

_KINDS = {
    "batched": "run() gets up to {max_size} decoded requests",
    "classic": "run() gets a body as text",
    "schema": "run() gets the fields of a JSON object by name",
    "rawhttp": "run() gets a request object",
    "onnx": "no script: a bare model, up to {max_size} requests a call",
    "mlflow": "no script: an MLflow model, up to {max_size} rows a call",
}
_EXAMPLES = """\
Scores in a process of its own, with the module's settings, thread and pipeline. "good" is said only of a script that
scored every message, and whose answers in batches are those that it gives one at a time; else exits with 3. Exits with
2 where there is no sample to score: a script that only loads may still fail at its first message. A bare model without
a sample is tried with zeros, and a note says so.

examples:
  scoring-module check --scoring-dir examples/turbofan --sample one-body-a-line.jsonl
  scoring-module check --scoring-dir my-detector --sample frame.jpg
  scoring-module check --scoring-dir examples/turbofan --json | jq .milliseconds
"""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    parser = add(commands, "check", _check, "load a scoring script, score a sample, say what was found", _EXAMPLES)
    parser.add_argument("--scoring-dir", type=Path, metavar="DIR", help="default: SCORING_DIR")
    source = parser.add_mutually_exclusive_group().add_argument
    source("--sample", type=Path, metavar="FILE", help=f"{BODIES}; default: sample.json in DIR, else the script's own")
    source("--messages", type=Path, metavar="FILE", help="lines are whole messages, as for simulate --messages")
    parser.add_argument(
        "--once", action="store_true", help="score each message once, as build does: compare no batches"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _check(arguments: argparse.Namespace) -> int:
    given = _given(arguments.sample, arguments.messages)
    trial = _tried(settings_of(arguments.scoring_dir), *given, once=arguments.once)
    if arguments.json:
        fields = asdict(trial)
        del fields["user_traceback"]
        print(json.dumps({"ok": trial.ok, **fields}, indent=2))
    else:
        lines = [(word if not number else "", line) for word, said in _said(trial) for number, line in enumerate(said)]
        print("\n".join(f"{word:<9} {line}" for word, line in lines))
    if trial.user_traceback:
        print(trial.user_traceback, file=sys.stderr)
    if wrong := trial.error or next(iter(trial.findings), ""):
        print(f"scoring-module: {wrong}", file=sys.stderr)
        return 3
    return 0 if trial.ok else 2


def _given(sample: Path | None, messages: Path | None) -> "tuple[Iterator[InputMessage] | None, str, str]":
    """Open what is to be scored; say what a message in it is called, and which argument it is from."""
    from ..transports.message_files import read_messages, read_telemetry

    if (path := sample or messages) is None:
        return None, "line", ""
    read = read_telemetry(path, "sample") if sample else read_messages(path)
    if (first := next(read, None)) is None:
        raise SettingsError(f"there is no body in {path}: write one a line")
    noun = "row" if {".csv", ".tsv"} & {each.lower() for each in path.suffixes} else "line"
    return chain((first,), read), noun, "--sample" if sample else "--messages"


def _tried(
    settings: "Settings", given: "Iterator[InputMessage] | None", noun: str, sample_from: str, *, once: bool
) -> "Trial":
    """Try the directory in a process of its own: what ends that, or hangs it, is a finding as any other."""
    import multiprocessing

    from ..process.watchdog import hangs
    from ..trial.trial import Trial

    settings = structs.replace(settings, dir=settings.dir.resolve())
    trial = Trial(str(settings.dir), settings.script, sample_from=sample_from)
    here, there = multiprocessing.Pipe(duplex=False)
    as_said = {"noun": noun, "once": once}
    process = multiprocessing.get_context("fork").Process(
        target=_try, args=(settings, given, trial, there), kwargs=as_said
    )
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()  # which holds a terminal's interrupt until it belongs to the terminal no more
    there.close()
    limits = {"init": settings.init_timeout_s, "run": settings.run_timeout_s}
    limits["merging"] = settings.run_timeout_s + _MERGING
    stage: Stage = ""
    where = ""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        while stage != "done":
            if (limit := limits.get(stage)) and not here.poll(limit + _GRACE):
                os.kill(process.pid or 0, signal.SIGABRT)  # faulthandler writes the stacks
                process.join(_GRACE)
                trial.error = hangs("init", limit) if stage == "init" else hangs("run", settings.run_timeout_s) + where
                break
            told = here.recv()
            if isinstance(told, ModuleError):
                raise told
            stage, where, trial = told[0], told[1] and f", with {told[1]}", told[2] or trial
    except EOFError:
        process.join()
        during = f"{stage}()" if stage else "the trial"
        trial.error = f"the process of the script ended in {during}{where}: {_how(process.exitcode or 0)}"
    finally:
        process.kill()
        with suppress(ProcessLookupError, PermissionError):  # nobody is left of it
            if process.pid:  # 0 would be our own
                os.killpg(process.pid, signal.SIGKILL)
    return trial


def _die_with_parent() -> None:
    """End this process when its parent is killed, the interpreter lock held or not."""
    import ctypes
    import multiprocessing

    with suppress(AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if (parent := multiprocessing.parent_process()) is None or os.getppid() != parent.pid:
        os._exit(1)


def _how(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}, as of os._exit({code})"
    return f"{signal.Signals(-code).name}: {signal.strsignal(-code)}"


def _try(
    settings: "Settings",
    given: "Iterator[InputMessage] | None",
    trial: "Trial",
    to: "Connection",
    *,
    noun: str,
    once: bool,
) -> None:
    """Be the process of the trial: whatever it prints, in C as well, is none of the answer."""
    import asyncio

    from .. import logs
    from ..forks import keep_from_forks
    from ..process.event_loop import new_loop
    from ..trial.trying import try_out

    os.dup2(2, 1)
    faulthandler.enable(os.dup(2))  # the trial's own standard error is quiet at times
    os.setsid()  # whatever the script starts ends with it; a terminal's interrupt is for whoever waits
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that came before is none any more
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _die_with_parent()
    keep_from_forks(to)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logs.configure("warning", "text", keep_stderr())
    # What the pipeline says of single messages is in the trial.
    logging.root.handlers[0].addFilter(lambda record: record.name != "module.pipeline")

    def tell(stage: "Stage", where: str) -> None:
        to.send((stage, where, None if stage == "run" else trial))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        try:
            runner.run(try_out(settings, given, trial, tell, noun=noun, once=once))
        except ModuleError as error:
            to.send(error)
        except Exception as error:
            if isinstance(error, OSError) and (refused := refusal(error)):
                to.send(refused)
                os._exit(0)
            traceback.print_exc(file=stderr())
            to.send(ModuleError("the trial failed after an error of ours: please report this"))
        os._exit(0)  # with threads of the script that never end


def _said(trial: "Trial") -> Iterator[tuple[str, list[str]]]:
    """Give what people are told: a word, and the lines of what there is to say of it."""
    path = Path(trial.directory, trial.script)
    yield "script", [str(path if path.is_file() else path.parent)]
    if trial.kind:
        form = _KINDS[trial.kind].format(max_size=trial.max_size)
        yield "kind", [f"{trial.kind}: {form}{', and is awaited' if trial.is_async else ''}"]
    width = max(map(len, trial.replaced), default=0)
    yield "replaced", [f"{name:<{width}}  {what}" for name, what in trial.replaced.items()]
    yield "model", [f"{each['path']} on {each['provider']}: {each['plan']}" for each in trial.models]
    yield "folder", [f"AZUREML_MODEL_DIR is {trial.model_dir}"] if trial.model_dir else []
    yield "fields", trial.described
    yield "sample", [f"{trial.sample}  (from {trial.sample_from})"] if trial.sample else []
    yield "answer", [*trial.answers] or (["nothing leaves"] if trial.milliseconds else [])
    yield "compared", [", ".join(map(str, trial.compared))] if len(trial.compared) > 1 else []
    yield "time", [_time(size, taken) for size, taken in trial.milliseconds.items()]
    yield "merged", [f"{'yes' if trial.merged else 'no'}: {trial.why}"] if trial.why else []
    yield "note", trial.notes
    yield "scored", [f"{trial.scored} of {trial.messages}"] if trial.messages else []
    yield "refused", trial.refused if trial.messages > 1 else []
    yield "finding", trial.findings
    broken = "broken: see below" if trial.error or trial.findings else ""
    yield "result", [broken or ("good" if trial.ok else "not known")]


def _time(size: int, milliseconds: float) -> str:
    noun = "request " if size == 1 else "requests"
    return f"{size:>4} {noun} {milliseconds:>10.3f} ms a call {1e3 * milliseconds / size:>10.1f} µs a request"
