"""Tries a scoring directory: loads it, scores a sample as the module would, compares batches, measures."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from scoring.batcher import Batcher
from scoring.bodies.codecs import Body, unpacked
from scoring.compat.model_location import VARIABLE
from scoring.errors import ScoringError
from scoring.scripts.loading import Script
from scoring.scripts.samples import ZEROS, described, own_sample

from ..errors import RunHungError
from ..messages import InputMessage
from ..runtime import start_scoring
from ..settings import Settings
from ..transports.message_files import JSON
from .observer import Observer, Tell
from .passes import Passes
from .quiet import quiet
from .trial import Trial


async def try_out(
    settings: Settings,
    given: Iterator[InputMessage] | None,
    trial: Trial,
    tell: Tell,
    *,
    noun: str = "line",
    once: bool = False,
) -> None:
    """Load, initialise, score, compare and measure; whatever goes wrong with the script is in the trial.

    Args:
        settings: as the module would have them.
        given: messages; without them the directory's or the script's own sample.
        trial: is filled.
        tell: is told before the script gets to run, and after it.
        noun: what a message is in the file that they are from.
        once: score each message once, and neither compare nor measure.

    Raises:
        SettingsError: the messages cannot be read to their end.
    """
    observer = Observer(settings.run_timeout_s, tell)
    try:
        tell("init", "")
        batcher = await start_scoring(settings, observer)
        _describe(trial, batcher)
        trial.described = await batcher.thread.call(described, batcher.script)
        tell("", "")
        if given is None:
            trial.sample_from, body = await batcher.thread.call(own_sample, batcher.script, settings.dir)
            if trial.sample_from == ZEROS:
                trial.notes.append(
                    "zeros were scored: put one of your messages into sample.json, or give --sample FILE"
                )
            given = iter([InputMessage(body.data, "", {"message_id": "sample-1", **JSON})] if body else [])
        passes = Passes(settings, batcher, observer, trial, noun)
        kept = await passes.go(given)
        if once:
            trial.notes.append("answers in batches were not compared (--once)")
        else:
            with quiet():
                await passes.compare(kept)
                tell("merging", "requests merged")
                trial.merged, trial.why = await batcher.thread.call(_merging, batcher.script, kept)
        trial.replaced = dict(batcher.script.replaced)
    except (ScoringError, RunHungError) as error:
        trial.error, trial.user_traceback = str(error), getattr(error, "user_traceback", "")
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        trial.error = "the script leaves the module no file to open: it takes too many, or lowers RLIMIT_NOFILE"
    tell("done", "")


def _describe(trial: Trial, batcher: Batcher) -> None:
    """Note what is known of a script right after its init()."""
    script = batcher.script
    trial.script = script.name or script.models[-1].path.name
    trial.kind, trial.is_async, trial.replaced = script.kind, script.is_async, dict(script.replaced)
    is_shared = script.rows or (script.merging is not None and script.merging.is_on)
    trial.max_size = batcher.limits.max_size if is_shared else 1
    trial.model_dir = os.environ.get(VARIABLE, "")
    for each in script.models:
        told = {"path": str(each.path), "provider": each.provider, "sha256": each.sha256}
        trial.models.append(told | {"plan": each.describe_plan()})
    trial.notes += [each.trouble for each in script.models if each.trouble]


def _merging(script: Script, messages: Sequence[InputMessage]) -> tuple[bool, str]:
    """Say whether several messages may share a run(), and why."""
    if script.rows:
        return True, f"run() takes lists, of {script.max_size} at most"
    if script.merging is None:
        return False, script.alone
    requests = []
    for each in messages:
        kind, encoding = each.system.get("content_type", ""), each.system.get("content_encoding", "")
        with suppress(ScoringError):
            requests.append(script.decode(unpacked(Body(each.body, kind, encoding, each.properties))))
    return script.merging.tried(requests)
