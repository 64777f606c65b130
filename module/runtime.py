"""start → serve → drain → stop; the only place that wires the parts together."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import BinaryIO

from scoring.batch import BatchLimits
from scoring.batcher import Batcher
from scoring.scoring_thread import ScoringThread
from scoring.script import Script, load

from .health import Health, Status
from .inbox import Inbox, MemoryInbox
from .messages import InputMessage
from .metrics import Metrics
from .pipeline import Pipeline, Publish
from .routes import Routes
from .settings import Settings
from .transports import Transport
from .transports.edge_hub import EdgeHub, check_environment
from .transports.jsonl import JsonLines

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Scoring:
    """The scoring script, loaded and initialised, with the thread that it lives on."""

    script: Script
    thread: ScoringThread
    batcher: Batcher


async def run(settings: Settings) -> None:
    """Be the module: serve until SIGTERM or SIGINT, then drain.

    Raises:
        SettingsError, ScriptError, ModelError: it cannot start.
        TransportError: the hub could not be reached for SCORING_HUB_TIMEOUT_S.
    """
    check_environment(os.environ)
    module = _Module(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, module.stop, signal.Signals(number).name)
    await module.live()


async def replay(settings: Settings, messages: Iterable[InputMessage], out: BinaryIO) -> int:
    """Score messages from a file through the same pipeline, without a hub; gives their number.

    Raises:
        ScriptError, ModelError: scoring cannot start.
        SettingsError: a line is no message.
    """
    metrics = Metrics()
    scoring = await _start_scoring(settings, metrics)
    inbox = MemoryInbox(settings.max_waiting, settings.max_waiting_mb << 20)
    lines = JsonLines(messages, inbox.offer, out)
    pipeline = _pipeline(settings, scoring, inbox, lines.publish, metrics)

    async def feed() -> int:
        try:
            return await lines.feed()
        finally:
            inbox.close()

    count, _ = await asyncio.gather(feed(), pipeline.serve())
    scoring.thread.stop()
    return count


class _Module:
    """One life of the module."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._status = Status()
        self._health = Health(self._metrics, self._status)
        self._life: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._serving = False

    def stop(self, why: str) -> None:
        """Begin to drain; while still starting, just end."""
        _log.info("%s: stopping", why)
        self._stopping.set()
        if not self._serving and self._life is not None:
            self._life.cancel()

    async def live(self) -> None:
        """Start, serve and drain."""
        self._life = asyncio.current_task()
        started = time.monotonic()
        try:
            if self._settings.http_port:
                await self._health.start(self._settings.http_port)
            scoring = await _start_scoring(self._settings, self._metrics)
            inbox = MemoryInbox(self._settings.max_waiting, self._settings.max_waiting_mb << 20)
            transport = EdgeHub(inbox.offer, self._settings.hub_timeout_s)
            pipeline = _pipeline(self._settings, scoring, inbox, transport.publish, self._metrics)
            self._metrics.gauge("scoring_waiting", "Messages accepted and not yet answered", inbox.waiting)
            await transport.start()
            self._status.facts.update(script=str(scoring.script.path), kind=scoring.script.kind, inbox="memory")
            self._status.not_ready = ""
            _log.info("ready after %.2f s: %s script %s", time.monotonic() - started, *_said(scoring.script))
            await self._serve(transport, inbox, pipeline)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
        finally:
            await self._health.stop()

    async def _serve(self, transport: Transport, inbox: Inbox, pipeline: Pipeline) -> None:
        self._serving = True
        gc.collect()
        gc.freeze()  # what lives from here on to the end need not be walked by every full collection
        serving = asyncio.create_task(pipeline.serve())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        self._status.not_ready = "stopping"
        await transport.stop_taking()
        inbox.close()
        _, late = await asyncio.wait((serving,), timeout=self._settings.stop_timeout_s)
        if late:
            _log.warning("%d messages were not answered within SCORING_STOP_TIMEOUT_S", inbox.waiting())
            serving.cancel()
        stopping.cancel()
        await transport.stop()
        if not late:
            serving.result()  # a pipeline that broke says why
        _log.info("stopped")


async def _start_scoring(settings: Settings, metrics: Metrics) -> _Scoring:
    """Load the script and run init(), on the scoring thread: some libraries belong to the thread that loads them."""
    thread = ScoringThread(asyncio.get_running_loop())
    script = await thread.call(load, settings.dir, settings.script)
    await thread.call(script.init)
    limits = BatchLimits(settings.max_batch_size or script.max_size, settings.max_delay_ms / 1000)
    return _Scoring(script, thread, Batcher(script, thread, limits, metrics.observe_batch))


def _pipeline(settings: Settings, scoring: _Scoring, inbox: Inbox, publish: Publish, metrics: Metrics) -> Pipeline:
    stamp = {"model": settings.model_name, "modelVersion": settings.model_version}
    return Pipeline(
        inbox=inbox,
        script=scoring.script,
        batcher=scoring.batcher,
        routes=Routes(settings.routes, settings.errors_output, inbox.uuid, {k: v for k, v in stamp.items() if v}),
        publish=publish,
        metrics=metrics,
        read_ahead=2 * scoring.batcher.max_size,
        max_unconfirmed=settings.max_unconfirmed,
        rows=settings.rows == "auto",
    )


def _said(script: Script) -> tuple[str, str]:
    return script.kind, f"{script.path.name}, version {version('iotedge-scoring-module')}"
