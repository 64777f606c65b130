"""`scoring-module check`: tries a scoring directory and says what was found, for people or as JSON."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from . import Add, Commands, keep_stdout, settings_of

if TYPE_CHECKING:
    from scoring.bodies.codecs import Body
    from scoring.scripts.trial import Trial

_KINDS = {
    "batched": "run() gets up to {max_size} decoded requests",
    "classic": "run() gets a body as text",
    "schema": "run() gets the fields of a JSON object by name",
    "rawhttp": "run() gets a request object",
    "onnx": "no script: a bare model, up to {max_size} requests a call",
    "mlflow": "no script: an MLflow model, up to {max_size} rows a call",
}
_EXAMPLES = """\
exits with 2 where there is no sample to score: a script that only loads may still fail at its first message

examples:
  scoring-module check --scoring-dir examples/turbofan --sample one-body-a-line.jsonl
  scoring-module check --scoring-dir examples/turbofan --json | jq .milliseconds
"""


def register(commands: Commands, add: Add) -> None:
    """Add the sub-command."""
    parser = add(commands, "check", _check, "load a scoring script, score a sample, say what was found", _EXAMPLES)
    parser.add_argument("--scoring-dir", type=Path, metavar="DIR", help="default: SCORING_DIR")
    parser.add_argument(
        "--sample", type=Path, metavar="FILE", help="a body a line; default: sample.json in DIR, else the script's own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _check(arguments: argparse.Namespace) -> int:
    from scoring.options import install
    from scoring.scripts.results import ResultOptions
    from scoring.scripts.trial import try_script

    from .. import logs

    read = settings_of(arguments.scoring_dir)
    install(read)
    logs.configure("warning", "text", sys.stderr)
    keep_stdout()
    bodies = _bodies(arguments.sample) if arguments.sample else []
    options = ResultOptions(read.result, read.nan, read.unwrap, read.split)
    for number in (signal.SIGTERM, signal.SIGINT):  # an exception would look like the script's own
        signal.signal(number, lambda number, _: os._exit(128 + number))
    with redirect_stdout(sys.stderr):  # what the script prints is none of our answer
        trial = try_script(read.dir.resolve(), read.script, bodies, options)
    if arguments.json:
        fields = asdict(trial)
        del fields["user_traceback"]
        print(json.dumps({"ok": bool(trial.sample_from and not trial.error), **fields}, indent=2))
    else:
        lines = [(word if not number else "", line) for word, said in _said(trial) for number, line in enumerate(said)]
        print("\n".join(f"{word:<9} {line}" for word, line in lines))
    if trial.error:
        if trial.user_traceback:
            print(trial.user_traceback, file=sys.stderr)
        print(f"scoring-module: {trial.error}", file=sys.stderr)
        return 3
    return 0 if trial.sample_from else 2


def _bodies(sample: Path) -> "list[Body]":
    from scoring.bodies.codecs import Body

    from ..errors import SettingsError
    from ..transports.jsonl import read_telemetry

    bodies = [Body(message.body) for message in read_telemetry(sample, "sample") if message.body]
    if not bodies:
        raise SettingsError(f"there is no body in {sample}: write one a line")
    return bodies


def _said(trial: "Trial") -> Iterator[tuple[str, list[str]]]:
    """Give what people are told: a word, and the lines of what there is to say of it."""
    yield "script", [f"{trial.directory}/{trial.script}" if trial.script else f"none in {trial.directory}"]
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
    yield "time", [_time(size, taken) for size, taken in trial.milliseconds.items()]
    yield "merged", [f"{'yes' if trial.merged else 'no'}: {trial.why}"] if trial.why else []
    yield "note", trial.notes
    yield "result", ["broken: see below" if trial.error else "good" if trial.sample_from else "not known"]


def _time(size: int, milliseconds: float) -> str:
    noun = "request " if size == 1 else "requests"
    return f"{size:>4} {noun} {milliseconds:>10.3f} ms a call {1e3 * milliseconds / size:>10.1f} µs a request"
