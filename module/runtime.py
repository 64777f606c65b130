"""start → serve → drain → stop; the only place that wires the parts together."""

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from scoring.batch import BatchLimits
from scoring.batcher import Batcher
from scoring.errors import ScriptError
from scoring.options import install
from scoring.scoring_thread import ScoringThread
from scoring.scripts.loading import Script, load
from scoring.scripts.results import ResultOptions

from . import __version__
from .errors import ModuleError, RunHungError
from .inbox import Inbox, MemoryInbox
from .journal import Journal, lend_temporary_directory, warn_if_it_dies_with_the_container
from .operating.health import Health
from .operating.metrics import Metrics
from .operating.status import Status
from .operating.twin import Reporter
from .pipeline import Pipeline, Publish
from .process.ending import Ending
from .process.gc_policy import GcPolicy
from .process.watchdog import Watchdog, hangs
from .process.watcher import Watcher
from .routes import MAX_SIZE, Routes
from .settings import Settings, unknown
from .transports.edge_hub import EdgeHub
from .transports.sdk_client import check_environment

_INSTANT = 0.0001
"""Seconds of the largest batch of a bare model below which it is scored on the event loop: a thread costs as much."""

_log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Be the module: serve until SIGTERM or SIGINT, then drain.

    Raises:
        SettingsError, JournalError, ScriptError, ModelError: it cannot start.
        TransportError: the hub could not be reached for SCORING_HUB_TIMEOUT_S.
        RunHungError: run() took longer than SCORING_RUN_TIMEOUT_S.
    """
    await _Module(settings, check_environment(os.environ)).live()


class _Module:
    """One life of the module."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings, self._environment = settings, environment
        self._metrics = Metrics()
        self._status = Status()
        self._health = Health(self._metrics, self._status)
        self._life: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._serving = False
        self._ending = Ending(settings.stop_timeout_s, self._stop)
        journal = settings.journal_dir if settings.delivery == "journal" else None
        self._watcher = Watcher(settings.log_format, settings.stop_timeout_s, journal)
        self._watcher.start()

    def _stop(self) -> None:
        """Begin to drain; while still starting, just end."""
        self._stopping.set()
        if not self._serving and self._life is not None:
            self._life.cancel()

    async def live(self) -> None:
        """Start, serve, drain and stop."""
        self._life = asyncio.current_task()
        started = time.monotonic()
        settings = self._settings
        inbox: Inbox | None = None
        try:
            if settings.http_port:
                await self._health.start(settings.http_port)
            self._ending.at_once = True  # another process may have the journal's file
            inbox = _inbox(settings)
            self._ending.at_once = False
            self._ending.forget = partial(inbox.running, [])
            watchdog = Watchdog(inbox, self._metrics, settings.run_timeout_s)
            self._watcher.expect(settings.init_timeout_s, signal.SIGQUIT, hangs("init", settings.init_timeout_s))
            self._status.not_ready = "starting: the scoring script is loaded, and its init() called"
            batcher = await start_scoring(settings, watchdog)
            self._watcher.expect(settings.run_timeout_s, signal.SIGHUP, hangs("run", settings.run_timeout_s))
            reporter = Reporter(self._status)
            hub = EdgeHub(
                inbox,
                self._environment,
                hub_timeout=settings.hub_timeout_s,
                stall_timeout=settings.stall_timeout_s,
                connected=reporter.connected,
                is_instant=batcher.in_place,
            )
            inbox.on_room = hub.make_room
            self._show(batcher.script, inbox, hub, watchdog)
            pipeline = pipeline_of(
                settings, batcher, inbox, hub.publish, metrics=self._metrics, failed=self._status.failed
            )
            gauge = self._metrics.gauge
            gauge("scoring_decoded_bytes", "Memory of decoded bodies not yet answered", lambda: pipeline.decoded)
            self._status.not_ready = ""  # what the hub says of itself is why
            await hub.start()
            _log.info("ready after %.2f s: %s", time.monotonic() - started, self._status.summary())
            watch = watchdog.watch(batcher.thread.stack)
            await self._serve(hub, inbox, pipeline, watch, reporter.keep_reporting())
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
        except ModuleError as error:
            # What is inside run() now is no suspect, unless it is what ends the process.
            if inbox is not None and not isinstance(error, RunHungError):
                await inbox.release()
            raise
        finally:
            await self._health.stop()
        if inbox is not None:
            await inbox.release()

    def _show(self, script: Script, inbox: Inbox, hub: EdgeHub, watchdog: Watchdog) -> None:
        """Fill the facts and the gauges that only now have a source."""
        model = script.models[0] if script.models else None
        self._status.facts.update(
            runtimeVersion=__version__,
            script=f"{script.kind} {script.name}".rstrip(),
            model=self._settings.model_name or (model.path.name if model else ""),
            modelVersion=self._settings.model_version,
            modelHash=model.sha256 if model else "",
            provider=lambda: model.provider if model else "",
            providerTrouble=lambda: model.trouble if model else "",
            calibration=lambda: model.describe_plan() if model else "",
            merged=partial(_merged, script),
            delivery=self._settings.delivery,
            unknownSettings=". ".join(unknown(os.environ)),
            lastError="",
        )
        gauge, models = self._metrics.gauge, script.models
        self._metrics.gauges(
            "scoring_models",
            "Models by the execution provider in use",
            "provider",
            lambda: dict(Counter(each.provider for each in models)),
        )
        gauge(
            "scoring_provider_trouble",
            "Models that do not run on the provider wanted",
            lambda: sum(1 for each in models if each.trouble),
        )
        gauge("scoring_waiting", "Messages accepted and not yet answered", inbox.waiting)
        gauge("scoring_waiting_bytes", "Bytes that they take", inbox.waiting_bytes)
        gauge("scoring_held", "Input messages without room, held un-acked", lambda: hub.held)
        gauge("scoring_connects", "Connections to edgeHub that were made", lambda: hub.connects)
        gauge(
            "scoring_merging", "1 while messages share a run()", lambda: bool(script.merging and script.merging.is_on)
        )
        gauge("scoring_journal_lost", "Messages lost to damage of the journal", lambda: getattr(inbox, "lost", 0))
        gauge("scoring_inbox_trouble", "1 while the inbox cannot be written", lambda: bool(inbox.trouble))
        self._status.trouble = lambda: inbox.trouble or hub.trouble or watchdog.trouble

    async def _serve(self, hub: EdgeHub, inbox: Inbox, pipeline: Pipeline, *others: Coroutine[Any, Any, None]) -> None:
        """Serve until told to stop or until something breaks for good; then drain as far as that is still possible."""
        self._serving = True
        pipeline.on_idle = GcPolicy().idle
        serving = asyncio.create_task(pipeline.serve())
        watching = [asyncio.create_task(each) for each in (hub.gone(), self._stopping.wait(), *others)]
        ended, _ = await asyncio.wait((serving, *watching), return_when=asyncio.FIRST_COMPLETED)
        self._status.not_ready = "stopping"
        inbox.close()
        failure = next((error for task in ended if (error := task.exception())), None)
        if failure is None:
            _, late = await asyncio.wait((serving,), timeout=self._ending.left())
            if late:
                _log.warning("%d messages are left, not answered within SCORING_STOP_TIMEOUT_S", inbox.waiting())
        for task in (serving, *watching):
            task.cancel()
        await hub.stop()
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        if failure is not None:
            raise failure
        _log.info("stopped")


def _max_size(settings: Settings, script: Script) -> int:
    """Give the most requests of a batch: what the script says; a bare model on a GPU says what pays."""
    paying = [most for model in script.models if (most := model.plan.max_rows)]
    if settings.latency_target_ms:
        return min([settings.max_batch_size or script.max_size, *paying])
    if script.kind == "onnx":
        return settings.max_batch_size or max([script.max_size, *paying])
    return min(settings.max_batch_size or script.max_size, script.max_size)


def _merged(script: Script) -> str:
    if script.merging is None:
        return f"no: {script.alone}" if script.alone else f"batches of {script.max_size}"
    return f"{'yes' if script.merging.is_on else 'no'}: {script.merging.why}"


def _inbox(settings: Settings) -> Inbox:
    max_bytes = settings.max_waiting_mb << 20
    if settings.delivery == "on-receipt":
        return MemoryInbox(settings.max_waiting, max_bytes)
    warn_if_it_dies_with_the_container(settings.journal_dir)
    journal = Journal(
        settings.journal_dir,
        sync=settings.journal_sync,
        max_messages=settings.max_waiting,
        max_bytes=max_bytes,
        max_quarantined=settings.max_quarantined,
    )
    lend_temporary_directory(settings.journal_dir)
    return journal


async def start_scoring(settings: Settings, watchdog: Watchdog, *, gives_up: bool = False) -> Batcher:
    """Load the script and run init(), on the scoring thread: some libraries belong to the thread that loads them.

    With ``gives_up``, what fails for a reason outside of it fails for good after its tries.
    """
    install(settings)
    thread = ScoringThread(asyncio.get_running_loop())
    try:
        async with asyncio.timeout(settings.init_timeout_s):
            script = await thread.call(load, settings.dir, settings.script, _result_options(settings))
            await thread.call(script.init)
    except TimeoutError:
        raise ScriptError(hangs("init", settings.init_timeout_s), thread.stack()) from None
    max_size, max_delay = _max_size(settings, script), settings.max_delay_ms / 1000
    limits = BatchLimits(max_size, max_delay, settings.transient_tries, gives_up)
    model = script.models[-1] if script.kind == "onnx" else None
    in_place = model is not None and not model.pictures and 0 < model.plan.seconds(limits.max_size) < _INSTANT
    return Batcher(script, thread, limits, watchdog, in_place=in_place)


def pipeline_of(
    settings: Settings,
    batcher: Batcher,
    inbox: Inbox,
    publish: Publish,
    *,
    metrics: Metrics,
    failed: Callable[[str], None] = lambda sentence: None,
) -> Pipeline:
    """Put the pipeline together; ``failed`` is told why a message was not scored."""
    stamp = {"model": settings.model_name, "modelVersion": settings.model_version}
    return Pipeline(
        inbox=inbox,
        batcher=batcher,
        routes=Routes(
            settings.routes,
            settings.errors_output,
            inbox.uuid,
            {k: v for k, v in stamp.items() if v},
            _result_options(settings),
            settings.nothing_output,
        ),
        publish=publish,
        metrics=metrics,
        read_ahead=2 * batcher.limits.max_size,
        max_unconfirmed=settings.max_unconfirmed,
        max_decoded=settings.max_decoded_mb << 20,
        rows=settings.rows == "auto",
        failed=failed,
    )


def _result_options(settings: Settings) -> ResultOptions:
    return ResultOptions(settings.result, settings.nan, settings.unwrap, settings.split, MAX_SIZE)
